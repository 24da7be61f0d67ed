"""Tests of the substrate tree."""
