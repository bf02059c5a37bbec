"""Clean text: no invisible characters, single blanks, none at the ends, null for nothing."""

from __future__ import annotations

import narwhals as nw

# Written with code points, as some engines know only the blanks of ASCII under \s.
_BLANKS = (
    r"[\x{09}-\x{0d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
)

# Control characters that are not blanks (NUL among them), soft hyphens, zero-width and bidirectional
# controls. The zero-width joiner and non-joiner stay where they join: Persian, Indic scripts and emoji
# need them.
_INVISIBLE = (
    r"[\x{00}-\x{08}\x{0e}-\x{1f}\x{7f}-\x{84}\x{86}-\x{9f}\x{ad}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}"
    r"\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{206f}\x{feff}\x{fff9}-\x{fffb}]"
)
_OUTER = " \u200c\u200d"

_LOCAL = r"[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?"
_TOP = r"\p{L}(?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])"
_EMAIL = rf"^{_LOCAL}(?:\.{_LOCAL})*@(?:{_LABEL}\.)+{_TOP}$"
_MASKED = r"^[x*#._@-]+$"


def tidied(text: nw.Expr) -> nw.Expr:
    r"""The text trimmed, with single blanks and without invisible characters; null when nothing is left.

    Blanks are all of Unicode's, tabs and line ends included. Case and composition stay as they are.

    >>> import polars as pl
    >>> messy = pl.DataFrame({"name": ["  Ann\t Lee ", "O\u200b'Hara\x00", " \u200e "]})
    >>> nw.from_native(messy).select(tidied(nw.col("name")))["name"].to_list()
    ['Ann Lee', "O'Hara", None]
    """
    seen = text.str.replace_all(_INVISIBLE, "").str.replace_all(_BLANKS, " ").str.strip_chars(_OUTER)
    return nw.when(seen != "").then(seen)


def shortened(text: nw.Expr, limit: int) -> nw.Expr:
    """The text; if it has more characters than the limit, its beginning and ``…``, at the limit's length.

    >>> import polars as pl
    >>> names = pl.DataFrame({"name": ["Ann", "Anna", "Annabel"]})
    >>> nw.from_native(names).select(shortened(nw.col("name"), 4))["name"].to_list()
    ['Ann', 'Anna', 'Ann…']
    """
    beginning = nw.concat_str(text.str.slice(0, limit - 1), nw.lit("…"))
    return nw.when(text.str.len_chars() > limit).then(beginning).otherwise(text)


def is_valid_email(address: nw.Expr) -> nw.Expr:
    """Whether a tidied, lower-case address could be a person's; null for null.

    It has one ``@``, no blanks or quotes, single dots inside, and at most 254 characters. The domain has two
    labels or more; each starts and ends with a letter or digit. The last label has two characters or more and
    starts with a letter. Letters of all scripts are allowed. Addresses made of ``x``, ``*`` and ``#`` alone
    are masked and not valid: merging customers by them would lose all but one.

    >>> import polars as pl
    >>> addresses = pl.DataFrame({"email": ["ann@example.com", "xxx@xxx.xx", "ann@@example.com"]})
    >>> nw.from_native(addresses).select(is_valid_email(nw.col("email")))["email"].to_list()
    [True, False, False]
    """
    is_formed = address.str.contains(_EMAIL) & (address.str.len_chars() <= 254)
    return is_formed & ~address.str.contains(_MASKED)
