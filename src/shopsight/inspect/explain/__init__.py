"""Traces a published figure to its rows: which are behind it, which were left out, and by what rule.

In: the Parquet files of a kept run. Out: traces, as plain values for ``--json`` and for the terminal. No
database is asked. The sums are computed again from the listed rows.
"""

from shopsight.inspect.explain.customer import CustomerTrace, explain_customer
from shopsight.inspect.explain.insight import InsightTrace, explain_insight
from shopsight.inspect.explain.traced_run import TracedRun

__all__ = ["CustomerTrace", "InsightTrace", "TracedRun", "explain_customer", "explain_insight"]
