"""Which of a database's names may mean a table or column of the contract: guesses for messages and proposals.

Names are compared word by word; case, plurals and separators do not matter. An id is only ever taken for
the id of the same thing.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shopsight.contract import TABLES, Column, Kind

#: What a table, and the id of its rows, is called elsewhere; the usual names first.
_ENTITIES = {
    "orders": ("order", "sales order", "sale order", "purchase", "purchase order"),
    "order_items": (
        *("order item", "item", "order line", "line item", "order line item", "sales order item"),
        *("purchase line", "purchase item"),
        *("sale order line", "order detail", "order product", "line", "detail"),
    ),
    "customers": (
        "customer",
        "customer entity",
        "client",
        "user",
        "account",
        "buyer",
        "partner",
        "shopper",
        "member",
        "cust",
    ),
    "products": (
        "product",
        "article",
        "catalog product",
        "catalog product entity",
        "product template",
        "good",
        "prod",
    ),
    "categories": (
        "category",
        "product category",
        "catalog category",
        "catalog category entity",
        "taxon",
        "collection",
        "cat",
    ),
    "reviews": ("review", "product review", "rating", "product rating", "product comment", "feedback"),
}
# What any other column is called elsewhere.
_DAY_WORDS = ("created at", "date", "created", "date created", "date add", "create date", "created on")
_COLUMNS = {
    "category_name": ("name", "title", "category", "label"),
    "product_name": ("name", "title", "product", "label", "product title", "description"),
    "name": ("full name", "customer name", "display name", "client name", "user name", "last name"),
    "email": ("e mail", "email address", "mail", "customer email", "user email"),
    "country": ("country code", "country name", "nation", "country iso"),
    "order_date": ("ordered at", "placed at", "date order", "purchase date", "completed at", *_DAY_WORDS),
    "total_amount": ("total", "grand total", "order total", "amount total", "total price", "amount", "sum"),
    "currency": ("order currency", "currency code", "order currency code"),
    "customer_email": ("email", "e mail", "billing email", "email address", "mail"),
    "status": ("state", "order status", "order state", "status code"),
    "quantity": ("qty", "product qty", "product quantity", "qty ordered", "units", "amount", "count"),
    "price": ("unit price", "price unit", "item price", "base price", "product price"),
    "rating": ("stars", "grade", "score", "rating value"),
    "review_date": ("reviewed at", "review date", *_DAY_WORDS),
}
_ID_WORDS = ("id", "no", "nr", "number", "key", "pk")
_ALIKE = 0.8


class Guess(NamedTuple):
    """A name, and whether it is one of those that are usual for what is meant."""

    name: str
    is_sure: bool


def nearest_table(table: str, found: Iterable[str]) -> Guess | None:
    """The name that may mean a table of the contract; None if no name does.

    >>> nearest_table("orders", ["sales_order_item", "sales_order"])
    Guess(name='sales_order', is_sure=True)
    >>> nearest_table("customers", ["customer_orders", "shop_customer"])
    Guess(name='shop_customer', is_sure=False)
    >>> nearest_table("products", ["vacation_product"])
    Guess(name='vacation_product', is_sure=False)
    """
    others = [words for name in _ENTITIES if name != table for words in _ENTITIES[name]]
    return _best(_ENTITIES[table], found, others=others)


def nearest_column(column: Column, table: str, found: Iterable[str]) -> Guess | None:
    """The name that may mean a column of a table; None if no name does.

    >>> from shopsight.contract import ORDERS as orders
    >>> nearest_column(orders.column("order_id"), "orders", ["customer_id", "entity_id"])
    Guess(name='entity_id', is_sure=True)
    >>> nearest_column(orders.column("customer_id"), "orders", ["id", "order_id"])
    >>> nearest_column(orders.column("order_date"), "orders", ["id", "OrderDate"])
    Guess(name='OrderDate', is_sure=True)
    """
    if column.kind is not Kind.KEY:
        ids = [name for name in found if _words(name)[-1:] == ["id"]]
        words = [column.name.replace("_", " "), *_COLUMNS[column.name]]
        return _best(words, [name for name in found if name not in ids])
    own = _ENTITIES[column.references or table]
    names = [f"{stem} {word}" for word in _ID_WORDS for stem in own]
    if column.references is None:
        names += ["id", "entity id", "row id"]
    stems = [stem for name in _ENTITIES for stem in _ENTITIES[name]]
    # An id that is merely spelt alike is the id of something else.
    return _best(names, found, others=stems, by_spelling=False)


def nearest_columns(table: str, columns: Iterable[str], found: Iterable[str]) -> dict[str, Guess | None]:
    """For each of a table's columns the found name that may mean it, which then means no other.

    >>> nearest_columns("reviews", ["review_id", "review_date"], ["id", "rating", "date", "created_at"])
    {'review_id': Guess(name='id', is_sure=True), 'review_date': Guess(name='created_at', is_sure=True)}
    """
    free = [name for name in found if name.lower() not in TABLES[table].column_names]
    guesses = {}
    for column in columns:
        guesses[column] = guess = nearest_column(TABLES[table].column(column), table, free)
        if guess is not None:
            free.remove(guess.name)
    return guesses


def _best(
    names: Sequence[str], found: Iterable[str], *, others: Sequence[str] = (), by_spelling: bool = True
) -> Guess | None:
    """The found name that is like the first of the names, then one that ends with it, then one spelt like it.

    Args:
        names: what is looked for, as words.
        found: the names that there are.
        others: words in front of a name that make it mean something else.
        by_spelling: whether a name that is only spelt alike will do.
    """
    wanted = [_words(name) for name in names]
    before_others = [f" {' '.join(_words(other))} " for other in others]
    spelt = {name: _words(name) for name in found}
    for words in wanted:
        for name, own in spelt.items():
            if own == words:
                return Guess(name, is_sure=True)
    for words in wanted:
        for name, own in spelt.items():
            before = f" {' '.join(own[: -len(words)])} "
            if own[-len(words) :] == words and not any(other in before for other in before_others):
                return Guess(name, is_sure=False)
    if not by_spelling:
        return None
    joined = {" ".join(own): name for name, own in spelt.items()}
    near = difflib.get_close_matches(" ".join(wanted[0]), joined, n=1, cutoff=_ALIKE)
    return Guess(joined[near[0]], is_sure=False) if near else None


def _words(name: str) -> list[str]:
    """A name's words, in lower case and singular.

    >>> _words("OrderCategories"), _words("sales_order_address")
    (['order', 'category'], ['sale', 'order', 'address'])
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [_singular(word) for word in re.split(r"[\W_]+", apart.lower()) if word]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
