"""How values are read and tidied, as docs/definitions.md has it."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

#: The names of a few countries, folded, by the one that they are shown by; other countries are not tried.
COUNTRIES = {
    "Germany": ("germany", "federal republic of germany", "de", "deu", "276", "deutschland"),
    "United States": ("united states", "united states of america", "us", "usa", "840", "america"),
    "Netherlands": ("netherlands", "kingdom of the netherlands", "nl", "nld", "holland"),
    "Côte d'Ivoire": ("cote d'ivoire", "republic of cote d'ivoire", "ci", "civ", "ivory coast"),
    "Democratic Republic of the Congo": ("congo, the democratic republic of the", "cd", "cod", "zaire"),
    "Unknown": ("unknown",),
}


def tidied(text: str) -> str | None:
    """Without invisible characters, with single blanks; None when nothing is left."""
    visible = "".join(" " if _is_blank(c) else c for c in text if not _is_invisible(c))
    return re.sub(" +", " ", visible).strip(" \u200c\u200d") or None


def _is_blank(c: str) -> bool:
    return c in "\t\n\v\f\r\x85\u2028\u2029" or unicodedata.category(c) == "Zs"


def _is_invisible(c: str) -> bool:
    # Joiners are left, for some scripts and emoji need them.
    return unicodedata.category(c) in ("Cc", "Cf") and not _is_blank(c) and c not in "\u200c\u200d"


def read_number(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+(\.0*)?", text):
        raise ValueError(text)
    number = int(text.partition(".")[0])
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def read_amount(text: str) -> Decimal:
    """The amount as it is written, before it is rounded."""
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text) or abs(Decimal(text)) >= 10**15:
        raise ValueError(text)
    return Decimal(text)


def read_date(text: str, time_zone: str) -> date:
    """The day; of a moment, the day that it is in the shop's time zone."""
    clock = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
    offset = r" ?(?:(Z)|([+-](?:[01][0-9]|2[0-3]))(?::?([0-5][0-9]))?)"
    match = re.fullmatch(rf"([0-9-]{{10}})(?:[T ]({clock})(?:{offset})?)?", text)
    if match is None:
        raise ValueError(text)
    day, time, utc, hours, minutes = match.groups()
    if not utc and not hours:
        return date.fromisoformat(day)
    moment = datetime.fromisoformat(f"{day}T{time[:8]}{hours or '+00'}:{minutes or '00'}")
    try:
        return moment.astimezone(ZoneInfo(time_zone)).date()
    except OverflowError:
        raise ValueError(text) from None


def read_value(kind: str, text: str, time_zone: str) -> int | Decimal | date:
    """The value of a kind that a tidied text stands for.

    Raises:
        ValueError: it is not plainly one.
    """
    match kind:
        case "number":
            return read_number(text)
        case "amount":
            return read_amount(text)
        case _:
            return read_date(text, time_zone)


def is_valid_email(address: str) -> bool:
    local, _, domain = address.partition("@")
    label = r"[^\W_]([^\W_]|-)*(?<!-)"
    return bool(
        len(address) <= 254
        and re.fullmatch(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", local)
        and re.fullmatch(rf"({label}\.)+{label}", domain)
        and re.fullmatch(r"[^\W\d_].+", domain.rpartition(".")[2])
        and not set(address) <= set("x*#@._-")
    )


def country_name(written: str) -> str | None:
    """The name that the country is shown by; None for one that is not recognised."""
    parts = unicodedata.normalize("NFKD", written.casefold())
    folded = "".join(c for c in parts if not unicodedata.combining(c) and c != ".")
    return next((name for name, ways in COUNTRIES.items() if folded.removeprefix("the ") in ways), None)
