"""Clean text made messy, and text that no type can read; for dirty rows only, so plain Python will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

_CONTROL = ("\t", "\n", "\r\n", "\u200b", "\ufeff", "\x07")
_KEYS = ("12x", "A-17", "n/a", "one", "1.5.2", "#REF!")
_DATES = ("31/02/2024", "2024-13-45", "yesterday", "0000-00-00", "2024-02-30", "n/a")
_AMOUNTS = ("twelve", "n/a", "12.5.0", "NaN", "--", "1e400")
_HUGE_AMOUNTS = ("1000000000000.00", "9999999999999999.99", "123456789012345678901234567890.00")
_HUGE_COUNTS = ("1000000000", "9223372036854775807")
_COUNTS = ("many", "n/a", "2.5", "0x10", "3 pcs", "NaN")


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
    forms: tuple[Callable[[str], str], ...] = (str.upper, str.lower, _alternating)
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
    """The same e-mail addresses written otherwise: case and outer blanks only.

    >>> address_variants(["ann@example.com", "ann@example.com", "ann@example.com"])
    ['ANN@EXAMPLE.COM', ' ann@example.com', 'Ann@Example.Com  ']
    """
    forms: tuple[Callable[[str], str], ...] = (str.upper, " {}".format, lambda text: f"{text.title()}  ")
    return [form(text) for form, text in zip(cycle(forms), addresses, strict=False)]


def add_fraction(amounts: Sequence[str]) -> list[str]:
    """Amounts with a third and a fourth digit, which are to be rounded.

    >>> add_fraction(["19.99", "5.00"])
    ['19.9950', '5.0050']
    """
    return [f"{amount}50" for amount in amounts]


def huge_amounts(count: int) -> list[str]:
    """Amounts that no shop takes, and of which few fit into a sum."""
    return list(islice(cycle(_HUGE_AMOUNTS), count))


def huge_counts(count: int) -> list[str]:
    """Whole numbers that no shelf holds; the second is the greatest of 64 bits."""
    return list(islice(cycle(_HUGE_COUNTS), count))


def unreadable_keys(count: int) -> list[str]:
    """Text that is no whole number."""
    return list(islice(cycle(_KEYS), count))


def unreadable_dates(count: int) -> list[str]:
    """Text that is no calendar day."""
    return list(islice(cycle(_DATES), count))


def unreadable_amounts(count: int) -> list[str]:
    """Text that is no finite amount of money."""
    return list(islice(cycle(_AMOUNTS), count))


def unreadable_counts(count: int) -> list[str]:
    """Text that is no whole number, in a column that counts."""
    return list(islice(cycle(_COUNTS), count))
