"""Clean text made messy; for dirty rows only, so plain Python is fast enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

_CONTROL = ("\t", "\n", "\r\n", "\u200b", "\ufeff", "\x07")


def cycled(values: Sequence[str], count: int) -> list[str]:
    """The values over and over.

    >>> cycled(["a", "b"], 3)
    ['a', 'b', 'a']
    """
    return list(islice(cycle(values), count))


def add_blanks(texts: Sequence[str]) -> list[str]:
    """Blanks outside, and twice as many inside.

    >>> add_blanks(["Ann Lee", "Bo Ek"])
    ['  Ann  Lee ', 'Bo  Ek   ']
    """
    forms = cycle(("  {} ", "{}   ", " {}"))
    return [form.format(text.replace(" ", "  ")) for form, text in zip(forms, texts, strict=False)]


def mix_case(texts: Sequence[str]) -> list[str]:
    """Upper case, lower case, and both in turn.

    >>> mix_case(["Ann", "Ann", "Ann"])
    ['ANN', 'ann', 'aNn']
    """
    forms = (str.upper, str.lower, _alternating)
    return [form(text) for form, text in zip(cycle(forms), texts, strict=False)]


def _alternating(text: str) -> str:
    return "".join(letter.upper() if place % 2 else letter.lower() for place, letter in enumerate(text))


def add_control_character(texts: Sequence[str]) -> list[str]:
    r"""A tab, a line's end, a zero-width space or the like after the first word.

    >>> add_control_character(["Ann Lee", "Bo Ek"])
    ['Ann\t Lee', 'Bo\n Ek']
    """
    return [_after_first_word(text, mark) for text, mark in zip(texts, cycle(_CONTROL), strict=False)]


def add_nul(texts: Sequence[str]) -> list[str]:
    """A NUL after the first word; PostgreSQL cannot hold it, SQLite can."""
    return [_after_first_word(text, "\0") for text in texts]


def _after_first_word(text: str, mark: str) -> str:
    first, blank, rest = text.partition(" ")
    return first + mark + blank + rest


def address_variants(addresses: Sequence[str]) -> list[str]:
    """The same e-mail addresses in other letter case and with outer blanks.

    >>> address_variants(["ann@example.com", "ann@example.com", "ann@example.com"])
    ['ANN@EXAMPLE.COM', ' ann@example.com', 'Ann@Example.Com  ']
    """
    forms: tuple[Callable[[str], str], ...] = (str.upper, " {}".format, lambda text: f"{text.title()}  ")
    return [form(text) for form, text in zip(cycle(forms), addresses, strict=False)]


def add_fraction(amounts: Sequence[str]) -> list[str]:
    """Amounts with a third and a fourth decimal, for cleaning to round.

    >>> add_fraction(["19.99", "5.00"])
    ['19.9950', '5.0050']
    """
    return [f"{amount}50" for amount in amounts]
