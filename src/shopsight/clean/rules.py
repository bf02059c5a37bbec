"""The registry: every rule of cleaning, by id, in the order in which the tables and their rules are applied.

Each rule is written beside its table's function; ``docs/definitions.md`` lists them, and a test holds the
list against this registry.
"""

from __future__ import annotations

from shopsight.clean import categories, customers, order_items, orders, products, reviews
from shopsight.clean.rule import Action, Rule

__all__ = ["RULES", "Action", "Rule"]

RULES: dict[str, Rule] = {
    rule.id: rule
    for table in (categories, products, customers, orders, order_items, reviews)
    for rule in table.RULES
}
