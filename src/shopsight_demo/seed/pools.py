"""The words of the made-up shop, from ``pools.toml``: small pools that the generator gathers from."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Country:
    """A country with its share of the customers in percent, other spellings of it, and names."""

    name: str
    percent: int
    spellings: list[str]
    domain: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _country(entry: dict[str, Any]) -> Country:
    return Country(**entry | {key: tuple(entry[key].split()) for key in ("first_names", "last_names")})


_POOLS = tomllib.loads(files(__package__ or "").joinpath("pools.toml").read_text("utf-8"))

COUNTRIES = tuple(map(_country, _POOLS["countries"]))
OTHER_SPELLINGS: list[str] = _POOLS["customers"]["other_spellings"]
UNKNOWN_COUNTRIES: list[str] = _POOLS["customers"]["unknown_countries"]
MALFORMED_EMAILS: list[str] = _POOLS["customers"]["malformed_emails"]
MASKED_EMAIL: str = _POOLS["customers"]["masked_email"]
STATUSES: tuple[tuple[str, int], ...] = tuple(_POOLS["statuses"]["percent"].items())
YOUNG_STATUSES: list[str] = _POOLS["statuses"]["young"]
UNKNOWN_STATUSES: list[str] = _POOLS["statuses"]["unknown"]
BRANDS: list[str] = _POOLS["products"]["brands"].split()
GRADES: list[str] = _POOLS["products"]["grades"].split()
#: Name, typical price in cents, and the things that the category sells.
CATEGORIES = tuple((name, cents, things.split()) for name, (cents, things) in _POOLS["categories"].items())
#: Text that no column's type can read, and implausible numbers.
TEXT: dict[str, list[str]] = _POOLS["text"]
#: By table and need, the kinds of dirt.
DIRT_KINDS: dict[str, dict[str, list[str]]] = {
    table: {need: kinds.split() for need, kinds in needs.items()} for table, needs in _POOLS["dirt"].items()
}
