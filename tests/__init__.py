"""Tests of the project, without a cloud."""
