"""The six contracts are what the mission's schema says."""

from __future__ import annotations

import pytest

from shopsight.contract import TABLES, Kind


def test_the_six_tables_and_their_columns() -> None:
    assert {
        name: " ".join(f"{c.name}:{c.kind}" for c in table.columns) for name, table in TABLES.items()
    } == {
        "categories": "category_id:key category_name:text",
        "products": "product_id:key product_name:text category_id:key",
        "customers": "customer_id:key name:text email:text country:text",
        "orders": "order_id:key customer_id:key order_date:date total_amount:money status:text",
        "order_items": "item_id:key order_id:key product_id:key quantity:count price:money",
        "reviews": "review_id:key product_id:key customer_id:key rating:count review_date:date",
    }


def test_the_key_is_the_first_column_and_a_key() -> None:
    assert {name: table.key for name, table in TABLES.items()} == {
        "categories": "category_id",
        "products": "product_id",
        "customers": "customer_id",
        "orders": "order_id",
        "order_items": "item_id",
        "reviews": "review_id",
    }
    assert all(table.column(table.key).kind is Kind.KEY for table in TABLES.values())


def test_every_reference_is_to_the_key_of_an_earlier_table() -> None:
    seen: list[str] = []
    references = set()
    for name, table in TABLES.items():
        for column in table.columns:
            if column.references is not None:
                assert column.references in seen
                assert column.name == TABLES[column.references].key
                references.add(f"{name}.{column.name}")
        seen.append(name)
    assert references == {
        "products.category_id",
        "orders.customer_id",
        "order_items.order_id",
        "order_items.product_id",
        "reviews.product_id",
        "reviews.customer_id",
    }


def test_an_unknown_column_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        TABLES["orders"].column("nothing")
