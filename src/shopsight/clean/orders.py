"""Orders: one row per order of a kept customer, with an amount."""

from __future__ import annotations

import narwhals as nw
from narwhals import col

from shopsight.clean.duplicates import mark_duplicates, repeated_keys
from shopsight.clean.guests import follow_addresses
from shopsight.clean.parse import readable_amount, with_raw
from shopsight.clean.policy import PLAUSIBLE_AMOUNT_LIMIT, STATUS_LENGTH_LIMIT, CleaningPolicy
from shopsight.clean.references import (
    Parents,
    date_rules,
    follow_merges,
    merged_customer,
    missing_reference,
    unknown_reference,
)
from shopsight.clean.rule import (
    MEASURE,
    Action,
    Cleaned,
    check_rows,
    count_flags,
    flag,
    reject,
    repair,
    split_rows,
    table_rules,
)
from shopsight.clean.text import tidied
from shopsight.contract import ORDERS, STATUS_SPELLINGS
from shopsight.engine.protocol import MONEY, Frame, cache, distinct_rows, materialize
from shopsight.errors import DataQualityError

#: The status of an order without one.
UNKNOWN_STATUS = "unknown"

RULES = table_rules(
    ORDERS,
    reject(
        "currency_other",
        "An order in another currency than the one that the settings choose.",
        when=col("is_currency_other"),
    ),
    missing_reference("customer"),
    *date_rules("order_date"),
    reject(
        "amount_beyond_limit",
        "A total of 1 trillion or more in absolute value.",
        when=col("total_amount").abs() >= PLAUSIBLE_AMOUNT_LIMIT,
    ),
    reject(
        "total_missing",
        "No total, and no sound items to compute it from.",
        when=col("total_amount").is_null(),
    ),
    reject(
        "negative_amount",
        "A negative total on an order that counts (unless the settings keep them).",
        when=lambda policy: (
            col("is_counting") & (col("total_amount") < 0) & nw.lit(policy.negative_amounts == "reject")
        ),
    ),
    reject("status_too_long", "A tidied status of more than 100 characters.", when=col("is_status_long")),
    unknown_reference("customer"),
    repair(
        "total_from_items",
        "No total: the sum of its sound items instead.",
        column="total_amount",
        when=col("has_no_total"),
        changes_measure=True,
    ),
    repair(
        "total_rounded",
        "A total with more than two decimals, rounded half up to the cent as it was read.",
        column="total_amount",
        when=col("is_total_amount_rounded"),
    ),
    repair("status_missing", "No status: `unknown`.", column="status", when=col("has_no_status")),
    repair(
        "status_tidied",
        "Trimmed, lower case, invisible characters removed, `canceled` read as `cancelled`.",
        column="status",
        when=~col("has_no_status") & (col("status") != col("raw_status")),
    ),
    merged_customer(),
    repair(
        "customer_from_email",
        "It names no known customer: the one with its e-mail address.",
        column="customer_id",
        when=col("is_by_address"),
    ),
    flag("no_items", "An order without kept items.", when=col("items_amount").is_null()),
    flag(
        "total_differs",
        "A total that is not the sum of the kept items: shipping, a discount, or a rejected item.",
        when=col("items_amount") != col("total_amount"),
    ),
    flag(
        "negative_kept",
        "A negative total that is kept: the order does not count, or the settings say so.",
        when=col("total_amount") < 0,
    ),
)

# The flags look at kept items, which are cleaned after orders.
_FLAGS = [rule for rule in RULES if rule.action is Action.FLAG]
_ROW_RULES = [rule for rule in RULES if rule.action is not Action.FLAG]
_PREFERENCE = ("order_date", "total_amount", "customer_id", "status")


def clean_orders(
    rows: Frame,
    customers: Parents,
    statuses: Frame,
    item_totals: Frame | None,
    policy: CleaningPolicy,
    *,
    addresses: Frame | None = None,
) -> Cleaned:
    """Orders, one row per ``order_id``, with ``is_counting`` beside the contract's columns.

    ``total_amount`` is never null. Flags are counted later, by :func:`order_flags`.

    Args:
        rows: as read.
        customers: the cleaned customers.
        statuses: what :func:`distinct_statuses` gives for the rows, or for more.
        item_totals: ``order_id`` and ``items_amount`` of the orders without a total; None if all have one.
        policy: the shop's.
        addresses: who has an address (:func:`shopsight.clean.guests.owners`); None if orders have none.

    >>> import datetime, polars as pl
    >>> from shopsight.clean.parse import read
    >>> from shopsight.clean.references import parents
    >>> from shopsight.contract import CUSTOMERS
    >>> people = [pl.LazyFrame({name: ids for name in CUSTOMERS.column_names}) for ids in ([1], [2])]
    >>> raw = {"order_id": [1, 2, 3], "customer_id": [1, 2, 3], "order_date": ["2024-01-01"] * 3,
    ...        "total_amount": ["9.5"] * 3, "status": ["Canceled "] * 3}
    >>> rows = read(nw.from_native(pl.LazyFrame(raw)), ORDERS)
    >>> policy = CleaningPolicy(datetime.date(2024, 1, 1), frozenset({"cancelled"}), "reject")
    >>> customers = parents(CUSTOMERS, *map(nw.from_native, people))
    >>> cleaned = clean_orders(rows, customers, distinct_statuses(rows), None, policy)
    >>> print(*cleaned.kept.collect().row(0))
    1 1 2024-01-01 9.50 cancelled False
    >>> sorted(cleaned.rejected.collect()["rule"])
    ['orders.customer_unknown', 'orders.customer_unknown']
    """

    def evaluate(rows: Frame) -> Frame:
        """Adds ``has_no_total``, ``is_currency_other`` and what the functions say that it calls."""
        rows = customers.join_to(_clean_statuses(rows, statuses, policy))
        if addresses is None:
            rows = rows.with_columns(is_by_address=nw.lit(False))
        else:
            rows = follow_addresses(rows, addresses)
        rows = follow_merges(rows)
        is_other = _currency() != policy.currency if policy.currency else nw.lit(False)
        rows = rows.with_columns(is_currency_other=is_other)
        if item_totals is None:
            rows = rows.with_columns(has_no_total=col("total_amount").is_null())
        rows = check_rows(rows, table, _ROW_RULES, policy, measure=readable_amount("total_amount"))
        return rows.with_columns(measure=nw.when(~col("has_no_total")).then(col("measure")))

    table = ORDERS.having(rows.collect_schema().names())
    repeated = repeated_keys(rows, table.key)
    if item_totals is not None:
        rows = _fill_totals(rows, item_totals)
    rows = mark_duplicates(rows, table, evaluate, repeated, _PREFERENCE)
    return split_rows(rows, table, _ROW_RULES, policy, more_columns=["is_counting"])


def distinct_statuses(rows: Frame) -> Frame:
    """Each status as it came, with ``clean_status``, null where it is blank, and ``is_status_long``.

    Grain: one row per distinct ``status``; few, however many orders there are. Held in memory.

    Args:
        rows: as read.
    """
    distinct = distinct_rows(rows.select("status")).with_columns(
        clean_status=tidied(col("status")).str.to_lowercase()
    )
    is_long = col("clean_status").str.len_chars() > STATUS_LENGTH_LIMIT
    clean = col("clean_status")
    for spelling, status in STATUS_SPELLINGS.items():
        clean = nw.when(col("clean_status") == spelling).then(nw.lit(status)).otherwise(clean)
    return materialize(distinct.with_columns(clean_status=clean, is_status_long=is_long))


def refuse_several_currencies(rows: Frame, statuses: Frame, policy: CleaningPolicy) -> None:
    """Refuse counting orders in several currencies if none of them was chosen: their sums mean nothing.

    Args:
        rows: as read.
        statuses: see :func:`distinct_statuses`.
        policy: the shop's.

    Raises:
        DataQualityError: naming the currencies.
    """
    if policy.currency is not None or "currency" not in rows.collect_schema().names():
        return
    rows = rows.select("status", currency=_currency())
    counting = _clean_statuses(rows, statuses, policy).filter(col("is_counting"))
    counted = counting.group_by("currency").agg(nw.len().alias("orders"))
    found = counted.sort("orders", "currency", descending=[True, False]).collect().rows()
    if len(found) > 1:
        named = ", ".join(f"{currency} ({count:,})" for currency, count in found)
        raise DataQualityError(
            f"orders: counting orders have several currencies: {named}. Their amounts cannot be added up.",
            remedy=f'Choose one under [tables.orders] in shopsight.toml: currency = "{found[0][0]}", or a'
            " `where` for it.",
        )


def orders_without_total(rows: Frame, statuses: Frame, policy: CleaningPolicy) -> Frame:
    """The orders whose total is missing, as parents of their items.

    Grain: one row per ``order_id``, with ``kept_order_id`` and ``is_counting``; it counts if one row does.

    Args:
        rows: as read.
        statuses: see :func:`distinct_statuses`.
        policy: the shop's.
    """
    incomplete = rows.filter(col("total_amount").is_null() & ~col("order_id").is_null())
    incomplete = _clean_statuses(incomplete, statuses, policy)
    orders = incomplete.group_by("order_id").agg(col("is_counting").max())
    return orders.with_columns(kept_order_id=col("order_id"))


def item_totals(items: Frame) -> Frame:
    """The sums of each order's kept items: ``order_id``, ``items_amount`` in Decimal(38, 2), and ``units``.

    Grain: one row per ``order_id`` that has items.
    """
    amount = (col("quantity") * col("price")).cast(MEASURE)
    lines = items.select("order_id", items_amount=amount, units=col("quantity"))
    return lines.group_by("order_id").agg(col("items_amount").sum(), col("units").sum())


def with_item_totals(orders: Frame, items: Frame) -> Frame:
    """The clean orders with what :func:`item_totals` gives of the clean items; null where there are none."""
    rows = orders.select("order_id", "customer_id", "total_amount", "is_counting")
    return cache(rows.join(item_totals(items), on="order_id", how="left"))


def order_flags(orders: Frame, policy: CleaningPolicy) -> Frame:
    """How many kept orders the flags apply to, and the sum of their totals.

    Grain: one row per flag that applies.

    Args:
        orders: see :func:`with_item_totals`.
        policy: the shop's.
    """
    rows = orders.with_columns(is_kept=nw.lit(True), clean_measure=col("total_amount"))
    return count_flags(rows, ORDERS, _FLAGS, policy)


def order_units(orders: Frame) -> Frame:
    """The units of each counting order: ``customer_id``, ``units``.

    Grain: one row per counting order that has items.

    Args:
        orders: see :func:`with_item_totals`.
    """
    return orders.filter(col("is_counting") & ~col("units").is_null()).select("customer_id", "units")


def _fill_totals(rows: Frame, totals: Frame) -> Frame:
    """The rows with missing totals taken from their items where possible. Adds ``has_no_total``."""
    amount = col("items_amount")
    # A sum beyond the limit would not fit the column; without a total the order is rejected.
    fitting = nw.when(amount.abs() < PLAUSIBLE_AMOUNT_LIMIT).then(amount).cast(MONEY)
    rows = with_raw(rows, "total_amount")
    incomplete = rows.filter(col("total_amount").is_null()).join(totals, on="order_id", how="left")
    # Only the few rows without a total are joined, as every column of a joined row is copied.
    return nw.concat(
        [
            rows.filter(~col("total_amount").is_null()).with_columns(has_no_total=nw.lit(False)),
            incomplete.with_columns(total_amount=fitting, has_no_total=nw.lit(True)).drop("items_amount"),
        ]
    )


def _currency() -> nw.Expr:
    """An order's currency, trimmed and in upper case; ``none`` for an order without one."""
    currency = tidied(col("currency")).str.to_uppercase()
    return currency.fill_null("none")


def _clean_statuses(rows: Frame, statuses: Frame, policy: CleaningPolicy) -> Frame:
    """Adds ``has_no_status``, ``is_status_long`` and ``is_counting``."""
    rows = with_raw(rows.join(statuses, on="status", how="left"), "status")
    rows = rows.with_columns(
        has_no_status=col("clean_status").is_null(), status=col("clean_status").fill_null(UNKNOWN_STATUS)
    )
    return rows.with_columns(is_counting=~col("status").is_in(sorted(policy.excluded_order_statuses)))
