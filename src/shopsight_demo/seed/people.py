"""The made-up shop's customers."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsight_demo.seed.columns import Draft, gather, joined, numbers
from shopsight_demo.seed.dirt import DirtPlan, Hits, Numbers
from shopsight_demo.seed.messy_text import (
    add_blanks,
    add_control_character,
    add_nul,
    address_variants,
    cycled,
    mix_case,
)
from shopsight_demo.seed.pools import (
    COUNTRIES,
    MALFORMED_EMAILS,
    MASKED_EMAIL,
    OTHER_SPELLINGS,
    TEXT,
    UNKNOWN_COUNTRIES,
)
from shopsight_demo.seed.schemas import Types
from shopsight_demo.seed.size import BLOCK_ROWS, Recipe

_NAMES = [country.name for country in COUNTRIES]
_DOMAINS = [country.domain for country in COUNTRIES]
_BY_PERCENT = np.repeat(np.arange(len(COUNTRIES)), [country.percent for country in COUNTRIES])
_FIRST = [name for country in COUNTRIES for name in country.first_names]
_LAST = [name for country in COUNTRIES for name in country.last_names]
_FIRST_COUNTS = np.array([len(country.first_names) for country in COUNTRIES])
_LAST_COUNTS = np.array([len(country.last_names) for country in COUNTRIES])
_FIRST_STARTS = np.array([0, *accumulate(_FIRST_COUNTS[:-1])])
_LAST_STARTS = np.array([0, *accumulate(_LAST_COUNTS[:-1])])
_EMAIL_KINDS = ("email_duplicate", "email_malformed", "email_masked", "email_missing", "email_untidy")
_KEY_KINDS = ("key_identical", "key_conflicting", "key_missing", "key_unreadable")


class People:
    """Makes the customers block by block.

    Attributes:
        email_pairs: customer ids that share an e-mail address except for case and blanks; complete when all
            blocks are made.
    """

    def __init__(self, recipe: Recipe, plan: DirtPlan) -> None:
        self._recipe = recipe
        self._plan = plan
        self.email_pairs: list[tuple[int, int]] = []

    def blocks(self) -> Iterator[pa.RecordBatch]:
        """All customers, in the order of their ids; repeated ones come after their block."""
        count = self._recipe.size.customers
        for start in range(0, count, BLOCK_ROWS):
            yield self._block(start, min(start + BLOCK_ROWS, count))

    def _block(self, start: int, stop: int) -> pa.RecordBatch:
        rng = np.random.default_rng([self._recipe.seed, 2, start])
        hits = self._plan.block(start, stop)
        ids = np.arange(start + 1, stop + 1)
        country = _BY_PERCENT[rng.integers(0, len(_BY_PERCENT), len(ids))]
        first = _FIRST_STARTS[country] + rng.integers(0, 2**31, len(ids)) % _FIRST_COUNTS[country]
        last = _LAST_STARTS[country] + rng.integers(0, 2**31, len(ids)) % _LAST_COUNTS[country]
        draft = Draft(
            {
                "customer_id": numbers(ids),
                "name": joined(gather(_FIRST, first), " ", gather(_LAST, last)),
                "email": joined(
                    gather(_MAIL_FIRST, first),
                    ".",
                    gather(_MAIL_LAST, last),
                    pc.cast(pa.array(ids), pa.string()),
                    "@",
                    gather(_DOMAINS, country),
                ),
                "country": gather(_NAMES, country),
            }
        )
        self._dirty_names(draft, hits)
        self._dirty_emails(draft, hits, ids)
        _dirty_countries(draft, hits, country)
        return self._finished(draft, hits)

    def _dirty_names(self, draft: Draft, hits: Hits) -> None:
        messes = {
            "name_blanks": add_blanks,
            "name_case": mix_case,
            "name_control": add_control_character,
            "name_nul": add_nul,
        }
        for kind, mess in messes.items():
            draft.change("name", hits[kind], mess)
        draft.cycle("name", hits["name_empty"], [" " * 100, ""])
        draft.blank("name", hits["name_missing"])

    def _dirty_emails(self, draft: Draft, hits: Hits, ids: Numbers) -> None:
        self._share_emails(draft, hits, ids)
        draft.change("email", hits["email_untidy"], address_variants)
        rows = hits["email_malformed"]
        forms = cycled(MALFORMED_EMAILS, len(rows))
        addresses = [form.format(number) for form, number in zip(forms, ids[rows].tolist(), strict=True)]
        draft.put("email", rows, addresses)
        draft.cycle("email", hits["email_masked"], [MASKED_EMAIL])
        draft.blank("email", hits["email_missing"])

    def _share_emails(self, draft: Draft, hits: Hits, ids: Numbers) -> None:
        """Give each such row the name and address of the nearest earlier customer with a sound address."""
        unsound = np.zeros(len(ids), np.bool_)
        unsound[hits.of(*_EMAIL_KINDS, *_KEY_KINDS)] = True
        sound = np.flatnonzero(~unsound)
        asked = np.sort(hits["email_duplicate"])
        if not sound.size or not asked.size:
            return
        # One copy of each address: two might be written alike, and a UNIQUE column refuses that.
        originals, first = np.unique(
            sound[np.maximum(np.searchsorted(sound, asked) - 1, 0)], return_index=True
        )
        rows = asked[first]
        self._plan.counts["email_duplicate"] -= len(asked) - len(rows)
        draft.put("name", rows, draft.texts("name", originals))
        draft.put("email", rows, address_variants(draft.texts("email", originals)))
        self.email_pairs += zip(ids[originals].tolist(), ids[rows].tolist(), strict=True)

    def _finished(self, draft: Draft, hits: Hits) -> pa.RecordBatch:
        draft.blank("customer_id", hits["key_missing"])
        draft.repeat(hits["key_identical"])
        rows = hits["key_conflicting"]
        draft.repeat(
            rows,
            name=[f"{name} jr." for name in draft.texts("name", rows)],
            email=[f"new.{email}" for email in draft.texts("email", rows)],
        )
        if self._recipe.types is Types.TEXT:
            draft.as_text()
            draft.cycle("customer_id", hits["key_unreadable"], TEXT["unreadable_keys"])
        return draft.rows()


def _dirty_countries(draft: Draft, hits: Hits, country: Numbers) -> None:
    rows = hits["country_spelling"]
    spellings = [_misspelled(place, turn) for turn, place in enumerate(country[rows].tolist())]
    draft.put("country", rows, spellings)
    draft.change("country", hits["country_blanks"], add_blanks)
    draft.change("country", hits["country_case"], mix_case)
    draft.cycle("country", hits["country_unknown"], UNKNOWN_COUNTRIES)
    draft.blank("country", hits["country_missing"])


def _misspelled(place: int, turn: int) -> str:
    if turn % 5 == 0:
        return OTHER_SPELLINGS[turn // 5 % len(OTHER_SPELLINGS)]
    spellings = COUNTRIES[place].spellings
    return spellings[turn % len(spellings)]


def _mail_name(name: str) -> str:
    """The name as it can stand before the @: plain lower-case letters."""
    plain = name.lower().replace("ß", "ss").replace("ł", "l")
    return "".join(letter for letter in unicodedata.normalize("NFKD", plain) if "a" <= letter <= "z")


_MAIL_FIRST = [_mail_name(name) for name in _FIRST]
_MAIL_LAST = [_mail_name(name) for name in _LAST]
