"""Customers' names and e-mail addresses as they leave a run's directory: plain, as an HMAC, or not at all.

Cleaning and the marts work with the plain values, so customers are merged by their real address. Whatever
goes to MongoDB, to a screen or to an orchestrator passes through :class:`Privacy` first.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shopsight.settings import Settings

Mode = Literal["plain", "hmac", "drop"]

#: The columns of customers, marts and insights that hold a person's name or address.
NAMES = frozenset({"name", "customer_name"})
ADDRESSES = frozenset({"email", "customer_email"})
#: Finds addresses in other columns, too, such as one typed into the name. Valid for RE2 as well.
ADDRESS = r"[^@\s]@[^@\s]+\.[^@\s]"

#: 128 bits: enough that no two of a shop's customers share one, in half the space.
HMAC_DIGITS = 32

_STRICTNESS = ("plain", "hmac", "drop")
_ADDRESS = re.compile(ADDRESS)
# As cleaning tidies texts, so that a rejected row's address has the HMAC of the same customer's.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True)
class Privacy:
    """How names and addresses are protected.

    Attributes:
        email: the mode for addresses, and for any text with an address in it.
        name: the mode for names.
        key: for ``hmac``.
    """

    email: Mode = "plain"
    name: Mode = "plain"
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Privacy:
        """The protection that the settings choose."""
        key = settings.privacy_key.get_secret_value() if settings.privacy_key is not None else ""
        return cls(settings.privacy_email, settings.privacy_name, key.encode())

    @property
    def is_plain(self) -> bool:
        """Whether nothing is changed."""
        return self.email == self.name == "plain"

    def mode_of(self, column: str) -> Mode:
        """The mode for every value of a column, whether it is an address or not."""
        return self.email if column in ADDRESSES else self.name if column in NAMES else "plain"

    def protect(self, column: str, value: Any) -> Any:
        """A value of a column as it may be seen.

        >>> Privacy("hmac", "drop", b"key").protect("email", " Ann@example.com")
        '9e477c88a643485898d5bad53f82b84a'
        >>> print(Privacy("hmac", "drop", b"key").protect("name", "Ann"))
        None
        """
        if value is None or self.is_plain:
            return value
        is_address = column in ADDRESSES or (
            isinstance(value, str) and "@" in value and _ADDRESS.search(value) is not None
        )
        modes = [self.email] * is_address + [self.name] * (column in NAMES)
        mode = max(modes, key=_STRICTNESS.index, default="plain")
        if mode == "hmac":
            text = tidied(str(value))
            digest = hmac.digest(self.key, (text.lower() if is_address else text).encode(), "sha256")
            return digest.hex()[:HMAC_DIGITS]
        return value if mode == "plain" else None

    def protect_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with its values protected; of a repair, the values that its column had."""
        repaired = row.get("column")
        return {
            name: self.protect(repaired if repaired and name in ("old_value", "new_value") else name, value)
            for name, value in row.items()
        }


def tidied(text: str) -> str:
    """The text without invisible characters, with single blanks, and none at its ends."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return re.sub(r"\s+", " ", _INVISIBLE.sub("", text)).strip(" \u200c\u200d")
