"""One name for each country: pycountry's names, and a table of further aliases.

Only the distinct values of a shop come here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

import pycountry

#: Replaces a missing country.
UNKNOWN_COUNTRY = "Unknown"

# For countries whose name in pycountry is only the official form with commas, or is hardly used.
_DISPLAY_NAMES = {
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CD": "Democratic Republic of the Congo",
    "CG": "Republic of the Congo",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "MF": "Saint Martin",
    "PS": "Palestine",
    "RU": "Russia",
    "SH": "Saint Helena",
    "SX": "Sint Maarten",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
}

# Folded (see _folded). What people write and pycountry does not know: abbreviations, former names, own names.
_ALIASES = {
    "AE": ("uae", "emirates"),
    "AT": ("osterreich", "oesterreich"),
    "BA": ("bosnia", "bosnia-herzegovina"),
    "BE": ("belgie", "belgique", "belgien"),
    "BR": ("brasil",),
    "BY": ("belorussia",),
    "CD": ("dr congo", "drc", "congo-kinshasa", "congo, democratic republic of the", "zaire"),
    "CG": ("congo-brazzaville", "republic of congo"),
    "CH": ("schweiz", "suisse", "svizzera"),
    "CI": ("ivory coast",),
    "CN": ("pr china", "prc", "people's republic of china", "mainland china", "中国"),
    "CV": ("cape verde",),
    "CZ": ("czech republic", "cesko", "ceska republika", "tschechien"),
    "DE": ("deutschland", "allemagne", "alemania", "brd"),
    "DK": ("danmark",),
    "EG": ("misr",),
    "ES": ("espana", "spanien", "espagne"),
    "FI": ("suomi",),
    "FR": ("frankreich", "francia"),
    "GB": (
        "uk",
        "great britain",
        "britain",
        "england",
        "scotland",
        "wales",
        "northern ireland",
        "united kingdom (uk)",
        "united kingdom of great britain",
        "grossbritannien",
    ),
    "GR": ("hellas", "ellada", "griechenland"),
    "HR": ("hrvatska",),
    "HU": ("magyarorszag",),
    "IE": ("eire", "republic of ireland", "ireland, republic of", "irland"),
    "IN": ("bharat",),
    "IT": ("italia", "italien", "italie"),
    "JP": ("nippon", "nihon", "日本"),
    "KP": ("dprk", "korea (north)", "korea, north"),
    "KR": ("rok", "korea", "republic of korea", "korea (south)", "korea, south", "korea (republic of)"),
    "LA": ("lao", "lao pdr"),
    "MD": ("republic of moldova",),
    "MK": ("macedonia", "fyrom", "republic of macedonia", "former yugoslav republic of macedonia"),
    "MM": ("burma",),
    "MX": ("mejico",),
    "NL": ("holland", "nederland", "niederlande", "pays-bas"),
    "NO": ("norge", "norwegen"),
    "NZ": ("aotearoa",),
    "PL": ("polska", "polen"),
    "RU": ("россия", "россииская федерация", "rossiya"),
    "SA": ("ksa", "kingdom of saudi arabia"),
    "SE": ("sverige", "schweden"),
    "SI": ("slovenija",),
    "SK": ("slovak republic", "slovensko"),
    "SZ": ("swaziland",),
    "TL": ("east timor",),
    "TR": ("turkey", "turkei", "tuerkei"),
    "TZ": ("tanzania, united republic",),
    "UA": ("украина", "ukraina"),
    "US": (
        "u s a",
        "u s",
        "america",
        "united states (usa)",
        "united states of america (usa)",
        "estados unidos",
        "etats-unis",
        "vereinigte staaten",
    ),
    "VA": ("holy see", "vatican"),
    "VN": ("viet nam",),
}


def display_names(written: Iterable[str]) -> dict[str, str]:
    """The display name for each text that names a country; unknown texts are left out.

    Names, official names, ISO codes of two or three letters or digits, and common aliases are known, whatever
    their case, accents and full stops. A display name is its own: naming twice changes nothing.

    >>> display_names(["us", "U.S.A.", "Holland", "Atlantis"])
    {'us': 'United States', 'U.S.A.': 'United States', 'Holland': 'Netherlands'}
    """
    known = _names_by_writing()
    named = ((text, known.get(_folded(text))) for text in written)
    return {text: name for text, name in named if name is not None}


def is_country(text: str) -> bool:
    """Whether the text names a country, or says that it is unknown."""
    return text in display_names([text])


@cache
def _names_by_writing() -> dict[str, str]:
    """Display names by the folded form of each way to write them."""
    names = {_folded(UNKNOWN_COUNTRY): UNKNOWN_COUNTRY}
    for country in pycountry.countries:
        name = _DISPLAY_NAMES.get(country.alpha_2) or str(getattr(country, "common_name", country.name))
        ways = [name, *(getattr(country, field, None) for field in ("name", "official_name", "flag"))]
        ways += [country.alpha_2, country.alpha_3, country.numeric, *_ALIASES.get(country.alpha_2, ())]
        for way in ways:
            if way:
                names[_folded(way)] = name
    return names


def _folded(text: str) -> str:
    """The text without case, accents, full stops and a leading "the"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    plain = re.sub(r"\s+", " ", plain.replace(".", "").replace("’", "'").replace("&", "and")).strip()
    return plain.removeprefix("the ")
