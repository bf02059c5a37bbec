"""A few of the alterations of ``make tamper``: the proof notices each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shopsight_demo.servers import MongoServer

sys.path.append(str(Path(__file__).parents[2] / "tools"))
from tamper import Ground, alterations

#: By station and table, a way and the link that must notice it.
NOTICED = {
    "raw/orders: customer_id: two rows swap it": "1",
    "raw/order_items: price: shifted by one row": "1",
    "raw/customers: country: all rows have the first row's": "1",
    "clean/orders: customer_id: all rows have the first row's": "2",
    "clean/orders: order_date: all one day off": "2",
    "clean/reviews: rating: two rows swap it": "2",
    "marts/customer_metrics: total_amount_spent: two rows swap it": "3",
    "marts/customer_metrics: average_rating: all rows have the first row's": "3",
    "marts/insights/top_products: empty": "3",
    "documents/rejected_rows: a text changed": "4",
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, mongo_server: MongoServer) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), mongo_server.url, orders=200)


def test_the_proof_notices_what_faulty_code_would_do_between_two_stages(ground: Ground) -> None:
    known = {f"{a.station}/{a.table}: {a.what}": a for a in alterations(ground.root)}
    assert len(known) > 300
    assert {name: ground.outcome(known[name]).link for name in NOTICED} == NOTICED
