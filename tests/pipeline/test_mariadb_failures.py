"""Runs on a MariaDB that fails: what the command line says, and its exit code."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Restartable
from tests.extract.test_mysql import connected, execute, with_login
from tests.support.published_shop import published_shop
from tests.support.shop_rows import SHOP

from shopsight.contract import TABLES

SLOW_ORDERS = (
    "ALTER TABLE orders RENAME real_orders",
    "CREATE VIEW orders AS SELECT order_id + SLEEP(0.5) AS order_id, customer_id, order_date, total_amount,"
    " status FROM real_orders",
)


def while_orders_are_read(url: str, then: Callable[[int], None]) -> threading.Thread:
    """Calls with the connection that reads orders, once it does."""

    def look() -> None:
        with connected(url) as cursor:
            query = "SELECT id FROM information_schema.PROCESSLIST WHERE info LIKE 'SELECT CONCAT(%%orders%%'"
            while not cursor.execute(query, []):
                time.sleep(0.05)
            [(number,), *_] = cursor.fetchall()
        then(number)

    thread = threading.Thread(target=look)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        ("wrong password", 2, "refuses the user or the password"),
        ("no privilege on a table", 2, "SELECT command denied .* GRANT SELECT ON"),
        ("a table is dropped", 1, "table 'reviews' is missing"),
        ("a row beyond max_allowed_packet", 1, "longer than the server's max_allowed_packet"),
        ("the query is killed", 1, "reading shop.orders: Query execution was interrupted"),
        ("the connection is killed", 1, "reading shop.orders: Lost connection|reading shop.orders: .*killed"),
        ("the server is killed", 1, "reading shop.orders: Lost connection"),
    ],
)
def test_a_failing_mariadb_ends_the_run_with_its_reason(
    failure: str,
    code: int,
    said: str,
    restartable_mariadb: Restartable,
    mongo_url: str,
    mongo_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    url = restartable_mariadb.url
    shop = published_shop(url, mongo_url, mongo_database, tmp_path / "work", SHOP)
    waiting = None
    match failure:
        case "wrong password":
            url = url.replace("@/", "0@/", 1)
        case "no privilege on a table":
            allowed = [f"SELECT ON shop.{table}" for table in TABLES if table != "orders"]
            url = with_login(restartable_mariadb.server, url, "reader", *allowed)
        case "a table is dropped":
            execute(url, "DROP TABLE reviews")
        case "a row beyond max_allowed_packet":
            execute(url, "ALTER TABLE products MODIFY product_name MEDIUMTEXT")
            execute(url, "SET GLOBAL max_allowed_packet = 2097152")
            execute(url, "INSERT INTO products VALUES (99, REPEAT('x', 1100000), 1)")
            execute(url, "SET GLOBAL max_allowed_packet = 1048576")
        case _:
            execute(url, *SLOW_ORDERS)
            kill = {"the query is killed": "KILL QUERY", "the connection is killed": "KILL CONNECTION"}
            waiting = while_orders_are_read(
                url,
                lambda number: (
                    execute(url, f"{kill[failure]} {number}")
                    if failure in kill
                    else restartable_mariadb.kill()
                ),
            )
    given = shop.settings.model_copy(update={"source_url": type(shop.settings.source_url)(url)})
    monkeypatch.setenv("SHOPSIGHT_RETRIES", "0")
    assert type(shop)(given).exit_code(monkeypatch, "run") == code
    if waiting is not None:
        waiting.join()
    told = " ".join("".join(capfd.readouterr()).split())
    assert re.search(said, told), told
    assert "Nothing was published." in told or "Nothing was extracted." in told
    assert "p@ss" not in told
