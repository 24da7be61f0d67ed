"""Tests of the rules and dashboards of charts/observability."""
