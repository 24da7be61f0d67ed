"""Runs the program with the real Pulumi engine against strict providers that need no cloud."""
