"""Marts: clean tables in, ``customer_metrics`` and the insights out."""
