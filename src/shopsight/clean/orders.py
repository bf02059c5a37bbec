"""Orders: one row per order, of a customer who is there, with an amount."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.duplicates import with_duplicates_judged
from shopsight.clean.parents import Parents
from shopsight.clean.parse import readable_amount, with_raw
from shopsight.clean.policy import AMOUNT_LIMIT, CleaningPolicy
from shopsight.clean.references import (
    date_rules,
    missing_reference,
    rejected_parent,
    repointed,
    repointed_customer,
    unknown_reference,
)
from shopsight.clean.rule import (
    MEASURE,
    Action,
    Cleaned,
    Rule,
    common_rules,
    flags,
    measured,
    outcome,
    with_fate,
    with_soundness,
)
from shopsight.clean.text import tidied
from shopsight.contract import ORDERS
from shopsight.engine.protocol import MONEY, Frame, materialize

#: What stands where there is no status.
UNKNOWN_STATUS = "unknown"

RULES: tuple[Rule, ...] = (
    *common_rules(ORDERS),
    missing_reference("orders", "customer"),
    *date_rules("orders", "order_date"),
    Rule(
        "orders.amount_beyond_limit",
        "orders",
        Action.REJECT,
        "A total of a million millions or more, either way.",
        lambda _: (nw.col("total_amount") >= AMOUNT_LIMIT) | (nw.col("total_amount") <= -AMOUNT_LIMIT),
    ),
    Rule(
        "orders.total_missing",
        "orders",
        Action.REJECT,
        "No total, and no sound items to work it out from.",
        lambda _: nw.col("total_amount").is_null(),
    ),
    Rule(
        "orders.negative_amount",
        "orders",
        Action.REJECT,
        "A negative total on an order that counts (unless the settings keep them).",
        lambda policy: (
            nw.col("is_counting") & (nw.col("total_amount") < 0) & nw.lit(policy.negative_amounts == "reject")
        ),
    ),
    rejected_parent("orders", "customer"),
    unknown_reference("orders", "customer"),
    Rule(
        "orders.total_from_items",
        "orders",
        Action.REPAIR,
        "No total: the sum of its sound items instead.",
        lambda _: nw.col("has_no_total"),
        column="total_amount",
        changes_measure=True,
    ),
    Rule(
        "orders.total_rounded",
        "orders",
        Action.REPAIR,
        "A total with more than two decimals, rounded half up to the cent as it was read.",
        lambda _: nw.col("is_total_amount_rounded"),
        column="total_amount",
    ),
    Rule(
        "orders.status_missing",
        "orders",
        Action.REPAIR,
        "No status: `unknown`.",
        lambda _: nw.col("has_no_status"),
        column="status",
    ),
    Rule(
        "orders.status_tidied",
        "orders",
        Action.REPAIR,
        "Trimmed, lower case, invisible characters removed, `canceled` read as `cancelled`.",
        lambda _: ~nw.col("has_no_status") & (nw.col("status") != nw.col("raw_status")),
        column="status",
    ),
    repointed_customer("orders"),
    Rule(
        "orders.no_items",
        "orders",
        Action.FLAG,
        "An order without kept items.",
        lambda _: nw.col("items_amount").is_null(),
    ),
    Rule(
        "orders.total_differs",
        "orders",
        Action.FLAG,
        "A total that is not the sum of the kept items: shipping, a discount, or a rejected item.",
        lambda _: nw.col("items_amount") != nw.col("total_amount"),
    ),
    Rule(
        "orders.negative_kept",
        "orders",
        Action.FLAG,
        "A negative total that is kept: the order does not count, or the settings say so.",
        lambda _: nw.col("total_amount") < 0,
    ),
)

_PREFERENCE = ("order_date", "total_amount", "customer_id", "status")
_ROW_RULES = tuple(rule for rule in RULES if rule.action is not Action.FLAG)
_FLAGS = tuple(rule for rule in RULES if rule.action is Action.FLAG)


def clean_orders(
    rows: Frame,
    customers: Parents,
    policy: CleaningPolicy,
    repeated: Frame | None = None,
    item_totals: Frame | None = None,
    *,
    statuses: Frame | None = None,
) -> Cleaned:
    """Orders, one row per ``order_id``, with ``is_counting`` beside the contract's columns.

    ``total_amount`` is never null. The flags are not here, as they look at kept items: :func:`order_flags`.

    Args:
        rows: as read.
        customers: the cleaned customers.
        policy: the shop's.
        repeated: the keys that several rows have (:func:`shopsight.clean.duplicates.repeated_keys`).
        item_totals: ``order_id``, ``items_amount`` of the orders without a total; None if all have one.
        statuses: what :func:`tidy_statuses` gives for the rows, or for more.

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parents import parents
    >>> from shopsight.clean.parse import read
    >>> from shopsight.contract import CUSTOMERS
    >>> people = [pl.LazyFrame({name: ids for name in CUSTOMERS.column_names}) for ids in ([1], [2])]
    >>> raw = {"order_id": [1, 2, 3], "customer_id": [1, 2, 3], "order_date": ["2024-01-01"] * 3,
    ...        "total_amount": ["9.5"] * 3, "status": ["Canceled "] * 3}
    >>> cleaned = clean_orders(
    ...     read(nw.from_native(pl.LazyFrame(raw)), ORDERS),
    ...     parents(CUSTOMERS, "customer", *(nw.from_native(frame) for frame in people)),
    ...     CleaningPolicy(datetime.date(2024, 1, 1), frozenset({"cancelled"}), "reject"),
    ... )
    >>> print(*cleaned.kept.collect().row(0))
    1 1 2024-01-01 9.50 cancelled False
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['orders.customer_unknown', 'orders.parent_rejected']
    """
    if statuses is None:
        statuses = tidy_statuses(rows)
    if item_totals is not None:
        rows = _with_totals_from_items(rows, item_totals)

    def judge(rows: Frame) -> Frame:
        rows = repointed(customers.joined_to(_with_status(rows, statuses, policy)))
        if item_totals is None:
            rows = rows.with_columns(has_no_total=nw.col("total_amount").is_null())
        rows = measured(rows, ORDERS, readable_amount("total_amount"))
        rows = rows.with_columns(measure=nw.when(~nw.col("has_no_total")).then(nw.col("measure")))
        return with_soundness(rows, _ROW_RULES, policy)

    def with_reasons(rejected: Frame) -> Frame:
        return customers.explained_to(rejected.with_columns(customer_id=nw.col("named_customer")))

    rows = with_duplicates_judged(rows, ORDERS, judge, repeated, _PREFERENCE)
    rows = with_fate(rows.with_columns(into_key=nw.col("order_id")), _ROW_RULES, policy)
    return outcome(rows, ORDERS, _ROW_RULES, policy, kept=["is_counting"], with_reasons=with_reasons)


def tidy_statuses(rows: Frame) -> Frame:
    """Each distinct status as it came, and tidied: a shop has few, whatever the number of orders.

    Grain: one row per ``status``; held in memory, so that no order has to wait until all are known.

    Args:
        rows: as read.
    """
    tidy = tidied(nw.col("status")).str.to_lowercase()
    spelled = nw.when(tidy == "canceled").then(nw.lit("cancelled")).otherwise(tidy)
    return materialize(rows.select("status").unique().with_columns(tidy_status=spelled))


def orders_without_total(rows: Frame, policy: CleaningPolicy) -> Frame:
    """The orders whose total is missing: ``order_id``, ``order_into`` and ``is_counting``.

    Grain: one row per ``order_id``; it counts if one of its rows does.

    Args:
        rows: as read.
        policy: the shop's.
    """
    lacking = rows.filter(nw.col("total_amount").is_null())
    lacking = _with_status(lacking, tidy_statuses(lacking), policy)
    named = lacking.filter(~nw.col("order_id").is_null())
    orders = named.group_by("order_id").agg(nw.col("is_counting").max())
    return orders.with_columns(order_into=nw.col("order_id"))


def item_totals(items: Frame) -> Frame:
    """What the kept items of each order add up to: ``order_id``, ``items_amount`` in Decimal(38, 2).

    Grain: one row per ``order_id`` that has items.
    """
    amount = (nw.col("quantity") * nw.col("price")).cast(MEASURE)
    lines = items.select("order_id", amount.alias("items_amount"))
    return lines.group_by("order_id").agg(nw.col("items_amount").sum())


def order_flags(orders: Frame, items: Frame, policy: CleaningPolicy) -> Frame:
    """How many kept orders the flags apply to, and what their totals are.

    Grain: one row per flag that applies.

    Args:
        orders: the clean orders.
        items: the clean items.
        policy: the shop's.
    """
    rows = orders.select("order_id", "total_amount").join(item_totals(items), on="order_id", how="left")
    rows = rows.with_columns(is_kept=nw.lit(True), clean_measure=nw.col("total_amount"))
    return flags(rows, _FLAGS, policy, ORDERS)


def _with_totals_from_items(rows: Frame, totals: Frame) -> Frame:
    """The rows with missing totals worked out where that can be; ``has_no_total`` where they were missing."""
    amount = nw.col("items_amount")
    # Beyond the limit it would not fit the column; without a total the order is rejected.
    fitting = nw.when((amount < AMOUNT_LIMIT) & (amount > -AMOUNT_LIMIT)).then(amount).cast(MONEY)
    rows = with_raw(rows, "total_amount")
    lacking = rows.filter(nw.col("total_amount").is_null()).join(totals, on="order_id", how="left")
    # Only the few rows that lack a total are joined, as every column of a joined row is copied.
    return nw.concat(
        [
            rows.filter(~nw.col("total_amount").is_null()).with_columns(has_no_total=nw.lit(False)),
            lacking.with_columns(total_amount=fitting, has_no_total=nw.lit(True)).drop("items_amount"),
        ]
    )


def _with_status(rows: Frame, statuses: Frame, policy: CleaningPolicy) -> Frame:
    rows = with_raw(rows.join(statuses, on="status", how="left"), "status")
    rows = rows.with_columns(
        has_no_status=nw.col("tidy_status").is_null(), status=nw.col("tidy_status").fill_null(UNKNOWN_STATUS)
    )
    return rows.with_columns(is_counting=~nw.col("status").is_in(sorted(policy.excluded_order_statuses)))
