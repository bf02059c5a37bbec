"""docs/definitions.md describes every link of the proof, every measure and every setting of the guards."""

from __future__ import annotations

import re
from pathlib import Path

from shopsight.audit.proof import CLEAN_IS_MARTS, MARTS_ARE_TARGET, RAW_IS_CLEAN, SOURCE_IS_RAW
from shopsight.contract import TABLES
from shopsight.settings import Settings

_, _, PROOF = (
    (Path(__file__).parents[2] / "docs" / "definitions.md").read_text().partition("\n## The proof\n")
)


def test_the_four_links_are_the_proof_s() -> None:
    named = re.findall(r"^\| (\d \(.*?\)) \|", PROOF, re.M)
    assert named == [SOURCE_IS_RAW, RAW_IS_CLEAN, CLEAN_IS_MARTS, MARTS_ARE_TARGET]


def test_every_measure_is_named() -> None:
    assert [
        t.measure for t in TABLES.values() if t.measure and f"`{t.measure}` of {t.name}" not in PROOF
    ] == []


def test_every_setting_of_the_guards_is_named() -> None:
    guards = {
        name for name in Settings.model_fields if name.startswith(("shrink_", "max_rejected", "min_rejected"))
    }
    assert {name for name in re.findall(r"`(\w+)`", PROOF) if name in Settings.model_fields} == guards
