"""Plant small faults in a copy of the code, one at a time, and see a test fail for each: ``make mutants``.

The checkout is not touched. For each fault (tools/mutant_registry.py) the tests that must notice it are run,
first without any fault, so that a failure is due to the fault. The table in docs/mutants.md is rewritten.

    python tools/mutants.py              all of them
    python tools/mutants.py --only link  those whose fault or file contains this; writes no table
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mutant_registry import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "mutants.md"
TESTS_FAILED = 1
TIMEOUT_SECONDS = 600

HEADING = """# Planted faults

`make mutants` plants each of these small faults in a copy of the code, one at a time, and runs the tests that
must notice it; a fault that no test notices is an error. That run writes the table.

| where | fault | noticed by |
| --- | --- | --- |
"""


@dataclass(frozen=True)
class Verdict:
    """The outcome of one fault: the test that failed first; None if none did."""

    mutant: Mutant
    killer: str | None
    seconds: float


class MutantError(Exception):
    """A fault that cannot be planted, or tests that cannot be run."""


def planted(mutant: Mutant, source: str) -> str:
    """The file with the fault.

    Raises:
        MutantError: the text to replace does not occur exactly once.
    """
    found = source.count(mutant.old)
    if found != 1:
        raise MutantError(
            f"{mutant.path}: the text that «{mutant.fault}» replaces occurs {found} times, not once"
        )
    return source.replace(mutant.old, mutant.new)


@contextmanager
def fault_in(package: Path, mutant: Mutant) -> Iterator[None]:
    """The copy of the package with the fault, while the context lasts."""
    path = package / mutant.path
    sound, times = path.read_text(), path.stat()
    path.write_text(planted(mutant, sound))
    try:
        yield
    finally:
        path.write_text(sound)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def first_failure(tests: Sequence[str], source: Path) -> str | None:
    """The first test that fails over the copied package; None if all pass.

    Raises:
        MutantError: the tests could not be run.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+(?: \S+)*?)(?: - .*)?$", done.stdout, flags=re.MULTILINE)
    # Without a test's name, the file itself could not be imported.
    if done.returncode != TESTS_FAILED or found is None or "::" not in found[1]:
        raise MutantError(f"{' '.join(tests)} could not be run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return found[1]


def check_import(source: Path) -> None:
    """Make sure that the copy is imported."""
    code = "import shopsight; print(shopsight.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    if not Path(done.stdout.strip()).is_relative_to(source):
        raise MutantError(f"tests would import {done.stdout.strip()}, not the copy in {source}")


def judge(mutants: Sequence[Mutant]) -> list[Verdict]:
    """Plant the faults one after the other, and print each outcome."""
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="shopsight-mutants-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        check_import(source)
        for mutant in mutants:
            planted(mutant, (source / "shopsight" / mutant.path).read_text())
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        print(f"{len(mutants)} faults; first the tests without any: {len(tests)} files", flush=True)
        failed = first_failure(tests, source)
        if failed:
            raise MutantError(f"{failed} fails without any fault")
        for number, mutant in enumerate(mutants, start=1):
            started = time.monotonic()
            with fault_in(source / "shopsight", mutant):
                killer = first_failure(mutant.tests, source)
            verdict = Verdict(mutant, killer, time.monotonic() - started)
            verdicts.append(verdict)
            print(f"{number:>3} {told(verdict)}", flush=True)
    return verdicts


def told(verdict: Verdict) -> str:
    """A verdict on one line."""
    outcome = f"killed by {verdict.killer}" if verdict.killer else "SURVIVED"
    return f"{verdict.mutant.path}: {verdict.mutant.fault}: {outcome} ({verdict.seconds:.0f} s)"


def page(verdicts: Sequence[Verdict]) -> str:
    """docs/mutants.md."""
    return HEADING + "".join(
        f"| `{verdict.mutant.path}` | {verdict.mutant.fault} | {_test_name(verdict.killer)} |\n"
        for verdict in verdicts
    )


def _test_name(killer: str | None) -> str:
    if killer is None:
        return "**nothing**"
    path, _, test = killer.partition("::")
    return f"`{path.removeprefix('tests/')}`: {test.partition('[')[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant small faults and see the tests catch each.")
    parser.add_argument("--only", default="", help="only faults whose text or file contains this")
    only = parser.parse_args().only
    chosen = [mutant for mutant in MUTANTS if only.lower() in f"{mutant.path} {mutant.fault}".lower()]
    verdicts = judge(chosen)
    survivors = [verdict for verdict in verdicts if verdict.killer is None]
    if not only:
        PAGE.write_text(page(verdicts))
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} killed")
    for verdict in survivors:
        print(told(verdict))
    return 1 if survivors or not verdicts else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MutantError as error:
        sys.exit(f"mutants: {error}")
