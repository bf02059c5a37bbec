"""Guests: a customer for each e-mail address on orders that have no other customer.

Only where the orders have ``customer_email``. A guest's id is the smallest of the guest's order ids, negated:
it reveals nothing of the address, stays the same while that order is there, and is no other guest's.
"""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
from narwhals import col

from shopsight.clean.customers import GUEST_ADDED, clean_customers, clean_emails
from shopsight.clean.duplicates import repeated_keys
from shopsight.clean.parse import with_raw
from shopsight.clean.policy import CleaningPolicy
from shopsight.clean.references import Parents
from shopsight.clean.rule import MEASURE, Cleaned
from shopsight.contract import CUSTOMERS, ORDERS
from shopsight.engine.protocol import Frame, materialize


def owners(customers: Frame) -> Frame:
    """Who has an address: ``email``, ``owner_id``.

    Grain: one row per address of the clean customers.
    """
    return customers.filter(~col("email").is_null()).select("email", owner_id=col("customer_id"))


def find_guests(orders: Frame, customers: Parents, addresses: Frame) -> Frame:
    """The guests, as customers are read: without name and country.

    Grain: one row per valid address, held in memory. An order makes one whether or not it is kept, if its
    customer is not known, nobody has its address, and its id is above 0. Of several rows with one order id
    the least address counts. A guest whose id is a customer's already is left out: the orders are rejected.

    Args:
        orders: as read.
        customers: the customers that orders may name.
        addresses: what :func:`owners` gives for the clean customers.

    >>> import polars as pl
    >>> ids = [nw.from_native(pl.LazyFrame({"customer_id": [key]})) for key in (1, -7)]
    >>> known = nw.from_native(pl.LazyFrame({"email": ["ann@example.com"], "owner_id": [1]}))
    >>> rows = pl.LazyFrame({"order_id": [4, 5, 6, 7, 8], "customer_id": [1, None, 9, 9, None],
    ...     "customer_email": ["a@x.de", "Ann@example.com", " B@x.de", "c@x.de", "b@x.de"]})
    >>> find_guests(nw.from_native(rows), Parents("customer_id", *ids), known).collect().rows()
    [(-6, None, 'b@x.de', None)]
    """
    key, of_order = CUSTOMERS.key, ORDERS.key
    rows = _with_addresses(orders.filter(col(of_order) > 0)).filter(~col("email").is_null())
    rows = rows.join(customers.kept, on=key, how="anti").join(addresses, on="email", how="anti")
    rows = rows.select(of_order, "email")
    repeated = repeated_keys(rows, of_order)
    if repeated is not None:
        single = rows.join(repeated, on=of_order, how="anti")
        several = rows.join(repeated, on=of_order, how="semi").group_by(of_order).agg(col("email").min())
        rows = nw.concat([single, several])
    first = rows.group_by("email").agg((-col(of_order).min()).alias(key))
    for others in (customers.kept, customers.rejected):
        first = first.join(others, on=key, how="anti")
    nothing = nw.lit(None, dtype=nw.String)
    return materialize(first.select(key, nothing.alias("name"), "email", nothing.alias("country")))


def clean_guests(guests: Frame, policy: CleaningPolicy) -> Cleaned:
    """The guests as clean customers, each recorded as added.

    Args:
        guests: what :func:`find_guests` gives.
        policy: the shop's.
    """
    cleaned = clean_customers(guests, policy)
    added = guests.select(
        nw.lit(CUSTOMERS.name).alias("table"),
        col(CUSTOMERS.key).alias("key"),
        nw.lit(GUEST_ADDED).alias("rule"),
        nw.lit("email").alias("column"),
        nw.lit(None, dtype=nw.String).alias("old_value"),
        col("email").alias("new_value"),
        nw.lit(None).cast(MEASURE).alias("measure_change"),
    )
    return replace(cleaned, repairs=nw.concat([cleaned.repairs, added]))


def follow_addresses(orders: Frame, addresses: Frame) -> Frame:
    """The orders, those without a known customer with the one who has their address. Adds ``is_by_address``.

    Args:
        orders: with ``kept_customer_id``.
        addresses: what :func:`owners` gives for the clean customers, guests included.
    """
    rows = with_raw(_with_addresses(orders).join(addresses, on="email", how="left"), "customer_id")
    rows = rows.with_columns(is_by_address=col("kept_customer_id").is_null() & ~col("owner_id").is_null())
    return rows.with_columns(
        nw.when(col("is_by_address")).then(col("owner_id")).otherwise(col(name)).alias(name)
        for name in ("customer_id", "kept_customer_id")
    )


def _with_addresses(orders: Frame) -> Frame:
    """Adds ``email``, clean; null where it is not valid."""
    return clean_emails(orders.with_columns(email=col("customer_email")))
