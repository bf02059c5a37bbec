"""The rules that all tables with parents or dates share."""

from __future__ import annotations

import narwhals as nw

from shopsight.clean.parse import with_raw
from shopsight.clean.policy import FIRST_DATE
from shopsight.clean.rule import Action, Phase, Rule
from shopsight.engine.protocol import Frame


def missing_reference(table: str, parent: str) -> Rule:
    """Rejects rows whose foreign key to ``parent`` is null."""
    return Rule(
        f"{table}.{parent}_missing",
        table,
        Action.REJECT,
        f"It names no {parent}.",
        lambda _: nw.col(f"{parent}_id").is_null(),
    )


def unknown_reference(table: str, parent: str) -> Rule:
    """Rejects rows whose parent is not kept; after the rules that know better why."""
    return Rule(
        f"{table}.{parent}_unknown",
        table,
        Action.REJECT,
        f"The {parent} that it names is not there.",
        lambda _: nw.col(f"{parent}_into").is_null(),
    )


def rejected_parent(table: str, *parents: str) -> Rule:
    """Names the cause for rows whose parent was rejected."""
    return Rule(
        f"{table}.parent_rejected",
        table,
        Action.REJECT,
        f"The {' or the '.join(parents)} that it belongs to was rejected.",
        lambda _: nw.any_horizontal(
            *(nw.col(f"{parent}_into").is_null() & nw.col(f"{parent}_was_rejected") for parent in parents),
            ignore_nulls=True,
        ),
        phase=Phase.REASON,
    )


def repointed_customer(table: str) -> Rule:
    """Repairs rows of a customer who was merged into another."""
    return Rule(
        f"{table}.customer_repointed",
        table,
        Action.REPAIR,
        "Its customer was merged into another, to whom it now belongs.",
        lambda _: nw.col("customer_id") != nw.col("named_customer"),
        column="customer_id",
    )


def repointed(rows: Frame) -> Frame:
    """The rows with the customer that theirs was merged into; ``named_customer`` is whom they named."""
    rows = with_raw(rows, "customer_id").with_columns(named_customer=nw.col("customer_id"))
    return rows.with_columns(customer_id=nw.coalesce("customer_into", "customer_id"))


def date_rules(table: str, column: str) -> tuple[Rule, ...]:
    """Reject rows without a date, or with one that cannot be."""
    return (
        Rule(
            f"{table}.date_missing",
            table,
            Action.REJECT,
            f"No {column}.",
            lambda _: nw.col(column).is_null(),
        ),
        Rule(
            f"{table}.date_before_1970",
            table,
            Action.REJECT,
            f"{column} lies before 1970.",
            lambda _: nw.col(column) < FIRST_DATE,
        ),
        Rule(
            f"{table}.date_in_future",
            table,
            Action.REJECT,
            f"{column} lies after the day of the snapshot.",
            lambda policy: nw.col(column) > policy.today,
        ),
    )
