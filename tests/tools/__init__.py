"""Tests of the set-up, the checks and what the workflows use."""
