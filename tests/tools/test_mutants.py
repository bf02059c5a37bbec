"""The planted faults still fit the code, and their table is theirs."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))
from mutant_registry import MUTANTS, Mutant  # noqa: E402 - scripts of tools/, not part of the package
from mutants import MutantError, page, planted  # noqa: E402


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.path}: {mutant.fault}")
def test_every_fault_can_be_planted_and_is_one(mutant: Mutant) -> None:
    source = (ROOT / "src" / "shopsight" / mutant.path).read_text()
    faulty = planted(mutant, source)
    assert faulty != source
    compile(faulty, mutant.path, "exec")
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_a_fault_that_does_not_fit_any_more_fails_loudly() -> None:
    mutant = Mutant("", "x.py", "a < b", "a <= b", ())
    for source in ("a > b", "a < b or a < b"):
        with pytest.raises(MutantError, match="not once"):
            planted(mutant, source)


def test_the_table_in_the_documents_lists_every_fault_and_none_that_survived() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "mutants.md").read_text(), re.M)
    assert [(path, fault) for path, fault, _ in rows] == [(m.path, m.fault) for m in MUTANTS]
    assert not [fault for _, fault, killer in rows if "**nothing**" in killer]
    assert page([]).splitlines()[0] == "# Planted faults"
