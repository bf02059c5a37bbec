"""Which rows stand behind a published figure, which were left out, and by what rule.

In: the Parquet files of a run that is kept, raw, clean, rejected and marts. Out: traces, plain values for
``--json`` and for the terminal. Nothing is asked of a database, and nothing is worked out by the code of the
stages but what a customer's segment is: what the rows add up to is added up here once more.
"""

from shopsight.inspect.explain.customer import CustomerTrace, explain_customer
from shopsight.inspect.explain.insight import InsightTrace, explain_insight
from shopsight.inspect.explain.listing import Listing
from shopsight.inspect.explain.traced_run import TracedRun

__all__ = [
    "CustomerTrace",
    "InsightTrace",
    "Listing",
    "TracedRun",
    "explain_customer",
    "explain_insight",
]
