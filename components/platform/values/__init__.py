"""Typed values of our own charts; `values.schema.json` of each chart is generated from here."""
