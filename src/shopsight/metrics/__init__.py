"""From the clean tables to one row per customer.

In come ``customers``, ``orders`` (with ``is_counting``), ``order_items`` and ``reviews``; out goes
``customer_metrics``. Every sum is taken over a table at its own grain and joined afterwards, onto a key.
"""
