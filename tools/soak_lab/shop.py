"""A shop that changes all the time, and what plain SQL says of each of its states."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from bson import Decimal128
from fault_lab.watcher import Whole
from pymongo.database import Database

from shopsight.marts.insights import INSIGHTS
from shopsight.settings import load_settings
from shopsight_demo.seed import ShopSize, seed

STATEMENTS = Path(__file__).parents[2] / "tests" / "marts" / "oracle_sql"
SIZE = ShopSize(customers=500, orders=4_000, products=200)

#: This customer's name is the number of the state that a snapshot shows.
STATE_CUSTOMER = 1_000_000
#: Orders of nobody: each is rejected, with its items.
NOBODY = 2_000_000

# What a counting order is, and that a customer must exist, for the tables as they are in the shop.
_CLEAN_ORDERS = """
    CREATE TEMP VIEW orders AS
    SELECT order_id, customer_id, order_date, total_amount, status,
           status NOT IN ('cancelled', 'refunded', 'returned', 'failed', 'unavailable') AS is_counting
    FROM public.orders WHERE customer_id IN (SELECT customer_id FROM customers)
"""
_REJECTED = """
    WITH nobodys AS (
        SELECT order_id FROM public.orders WHERE customer_id NOT IN (SELECT customer_id FROM customers)
    )
    SELECT (SELECT count(*) FROM nobodys) + (SELECT count(*) FROM order_items JOIN nobodys USING (order_id))
"""

Rows = list[tuple[Any, ...]]
Change = Callable[[psycopg.Connection[Any], random.Random], None]


@dataclass
class ChangingShop:
    """The shop, in its numbered states.

    Attributes:
        rows: by state and mart, what a generation of it must hold; known before anybody can read the state.
        whole: by state, what a reader sees of such a generation.
        changes: how often each kind of change was made.
    """

    url: str
    chance: random.Random
    rows: dict[str, dict[str, Rows]] = field(default_factory=dict)
    whole: dict[str, Whole] = field(default_factory=dict)
    changes: dict[str, int] = field(default_factory=dict)

    def open(self) -> None:
        """Fill the empty database."""
        seed(self.url, SIZE, dirt=0, seed=1, constraints=False)
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO customers VALUES (%s, '', 'state@example.org', 'France')", (STATE_CUSTOMER,)
            )
            self._become(connection)

    def change(self, kind: str) -> None:
        """Change it in one transaction, which also says what plain SQL makes of the new state."""
        with psycopg.connect(self.url) as connection:
            CHANGES[kind](connection, self.chance)
            self._become(connection)
        self.changes[kind] = self.changes.get(kind, 0) + 1

    def differences(self, db: Database[dict[str, Any]], generation: int) -> tuple[int, list[str]]:
        """How many rows of a generation were compared, and the marts that are not as plain SQL says."""
        customers = db[f"customer_metrics.g{generation}"]
        [state] = customers.distinct("name", {"_id": STATE_CUSTOMER})
        found = {d["_id"]: d["rows"] for d in db[f"insights.g{generation}"].find()}
        found["customer_metrics"] = list(customers.find({}, {"_id": 0}, sort=[("_id", 1)]))
        seen = {
            name: [tuple(map(_plain, row.values())) for row in found.get(name, [])]
            for name in self.rows[state]
        }
        differing = [name for name, rows in self.rows[state].items() if seen[name] != rows]
        return sum(map(len, seen.values())), differing

    def _become(self, connection: psycopg.Connection[Any]) -> None:
        state = f"State {len(self.rows) + 1}"
        connection.execute("UPDATE customers SET name = %s WHERE customer_id = %s", (state, STATE_CUSTOMER))
        connection.execute(_CLEAN_ORDERS)
        rows = {name: _answer(connection, name) for name in ("customer_metrics", *INSIGHTS)}
        ((rejected,),) = connection.execute(_REJECTED).fetchall()
        connection.execute("DROP VIEW pg_temp.orders")
        # The amount spent is the fifth column of customer_metrics, revenue the second of monthly_sales.
        customers = rows["customer_metrics"]
        spent = sum((row[4] for row in customers), Decimal(0))
        revenue = sum((row[1] for row in rows["monthly_sales"]), Decimal(0))
        self.rows[state] = rows
        self.whole[state] = Whole(len(customers), spent, len(INSIGHTS), revenue, int(rejected))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, Decimal):
        return value.quantize(Decimal("0.01"))
    return value.date() if isinstance(value, datetime) else value


def _answer(connection: psycopg.Connection[Any], name: str) -> Rows:
    settings = load_settings()
    statement = (STATEMENTS / f"{name}.sql").read_text().encode()
    answer = connection.execute(
        statement, {"top_n": settings.top_n, "basket_pairs_n": settings.basket_pairs_n}
    )
    return [tuple(map(_plain, row)) for row in answer]


def _orders_come(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    ((order, item),) = connection.execute(
        "SELECT (SELECT max(order_id) FROM orders), (SELECT max(item_id) FROM order_items)"
    ).fetchall()
    customers = [key for (key,) in connection.execute("SELECT customer_id FROM customers")]
    products = [key for (key,) in connection.execute("SELECT product_id FROM products")]
    for _ in range(40):
        order += 1
        customer = NOBODY if chance.random() < 0.05 else chance.choice(customers)
        day = (datetime.now(UTC) - timedelta(days=chance.randint(1, 400))).date()
        lines = [
            (chance.choice(products), chance.randint(1, 4), Decimal(chance.randint(100, 20_000)) / 100)
            for _ in range(chance.randint(1, 4))
        ]
        total = sum((quantity * price for _, quantity, price in lines), Decimal(0))
        connection.execute(
            "INSERT INTO orders (order_id, customer_id, order_date, total_amount, status)"
            " VALUES (%s, %s, %s, %s, 'completed')",
            (order, customer, day, total),
        )
        for product, quantity, price in lines:
            item += 1
            connection.execute(
                "INSERT INTO order_items (item_id, order_id, product_id, quantity, price)"
                " VALUES (%s, %s, %s, %s, %s)",
                (item, order, product, quantity, price),
            )


def _orders_change(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    for key in _some_orders(connection, chance, 30):
        status = chance.choice(["completed", "shipped", "pending", "cancelled", "refunded"])
        connection.execute(
            "UPDATE orders SET status = %s, total_amount = total_amount + 0.01 WHERE order_id = %s",
            (status, key),
        )


def _orders_go(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    gone = _some_orders(connection, chance, 40)
    connection.execute("DELETE FROM order_items WHERE order_id = ANY(%s)", (gone,))
    connection.execute("DELETE FROM orders WHERE order_id = ANY(%s)", (gone,))


def _customers_change(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    country = chance.choice(["France", "India", "Brazil"])
    connection.execute(
        "UPDATE customers SET country = %s WHERE customer_id IN"
        " (SELECT customer_id FROM customers WHERE customer_id < %s ORDER BY random() LIMIT 10)",
        (country, STATE_CUSTOMER),
    )


def _column_added(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    """And the last one dropped, so that PostgreSQL's limit of 1,600 is far."""
    connection.execute("ALTER TABLE orders DROP COLUMN IF EXISTS note")
    connection.execute(f"ALTER TABLE orders ADD COLUMN note text DEFAULT 'note {chance.randint(1, 9)}'")


def _table_swapped(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    table = chance.choice(["orders", "order_items", "customers"])
    connection.execute(f"CREATE TABLE fresh (LIKE {table} INCLUDING ALL)")
    connection.execute(f"INSERT INTO fresh SELECT * FROM {table} ORDER BY 1 DESC")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE fresh RENAME TO {table}")


def _some_orders(connection: psycopg.Connection[Any], chance: random.Random, number: int) -> list[int]:
    keys = [key for (key,) in connection.execute("SELECT order_id FROM orders ORDER BY 1")]
    return chance.sample(keys, number)


CHANGES: dict[str, Change] = {
    "orders come": _orders_come,
    "orders change": _orders_change,
    "orders go": _orders_go,
    "customers change": _customers_change,
    "a column is added": _column_added,
    "a table is swapped": _table_swapped,
}
