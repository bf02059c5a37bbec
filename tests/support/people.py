"""The literal shop with customers whose names and addresses can be told from any other text."""

from __future__ import annotations

from decimal import Decimal

import bson
from tests.support.published_shop import PublishedShop
from tests.support.shop_rows import SHOP

#: In the order of the contract; those without a readable id are rejected.
CUSTOMERS = [
    (1, "Ann Zeppelin", "ann@example.com", "Germany"),
    (2, "Bob Quark", " BOB@Example.com\t", "USA"),
    (3, "cem@private.example", "XXXXXXXXX", "Atlantis"),
    (4, "Dora Ypsilon", "ANN@example.com ", "Germany"),
    ("x5", "Eva  Wombat", "Eva@example.com", "Spain"),
    ("fay@example.net", "Fay Gnu", "fay@example.org", "gus@example.com"),
    ("x7", "Bobby Quark", "bob@example.com", "USA"),
]
SHOP_OF_PEOPLE = {
    **SHOP,
    "customers": CUSTOMERS,
    "orders": [*SHOP["orders"], (106, 2, "2024-03-04", Decimal("1.00"), "hal@example.com")],
}
#: Of each name and address, what no other text holds.
PERSONAL = (
    *("Zeppelin", "Quark", "Ypsilon", "Wombat", "Gnu"),
    *("ann@", "bob@", "cem@", "eva@", "fay@", "gus@", "hal@", "@example", "private.example"),
)


def found_in(text: str | bytes) -> set[str]:
    """The personal texts that a text holds, in any case."""
    low = text.lower() if isinstance(text, bytes) else text.encode().lower()
    return {personal for personal in PERSONAL if personal.lower().encode() in low}


def collections(shop: PublishedShop) -> bytes:
    """All that MongoDB holds in this database, as it holds it."""
    with shop.target() as target:
        own = {"type": "collection", "name": {"$not": {"$regex": "^system"}}}
        names = target.db.list_collection_names(filter=own)
        return b"".join(bson.encode(document) for name in names for document in target.db[name].find())
