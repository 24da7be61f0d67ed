"""Typed values of our own charts, one module a chart."""
