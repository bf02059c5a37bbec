"""Which rows stand behind a published figure, which were left out, and by what rule.

In: the Parquet files of a kept run. Out: traces, as plain values for ``--json`` and for the terminal. No
database is asked. What the rows add up to is added up anew.
"""

from shopsight.inspect.explain.customer import CustomerTrace, explain_customer
from shopsight.inspect.explain.insight import InsightTrace, explain_insight
from shopsight.inspect.explain.traced_run import TracedRun

__all__ = ["CustomerTrace", "InsightTrace", "TracedRun", "explain_customer", "explain_insight"]
