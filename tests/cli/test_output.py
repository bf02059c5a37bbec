"""What is printed, on a terminal and elsewhere: nothing cut, no control characters, no raw C1 in JSON."""

from __future__ import annotations

import json

import pytest
from tests.support.report_sample import insight

from shopsight.cli.output import err, out, paged, print_error, print_json, say
from shopsight.cli.tables import terminal_table
from shopsight.errors import ShopsightError

EVIL = "a\x1b[2J\x07\x9b31m\u202eb"


def test_lines_and_tables_are_neither_wrapped_nor_cut_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    name = "long " * 100
    say(name)
    out.print(terminal_table(insight("t", "T " * 100, "", "name:text:Name,orders:count:Orders", [(name, 1)])))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == name
    assert lines[2] == "T " * 100
    assert lines[-1].split() == [*name.split(), "1"]


def test_control_characters_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    print_error(ShopsightError(f"{EVIL}\nsecond line", remedy=EVIL, run_id=EVIL))
    out.print(terminal_table(insight("t", EVIL, "", f"name:text:{EVIL}", [(EVIL,)])))
    said = "".join(capsys.readouterr())
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "\nsecond line\n" in said


def test_json_escapes_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": f"{EVIL}é\x7f\x85\n"})
    printed = capsys.readouterr().out
    assert not set(printed) & {"\x1b", "\x07", "\x7f", "\x85", "\x9b", "\u202e"}
    assert "é" in printed
    assert json.loads(printed) == {"name": f"{EVIL}é\x7f\x85\n"}


def test_there_is_no_pager_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGER", "false")
    with paged():
        say("here")
    assert capsys.readouterr().out == "here\n"
    assert not err.is_terminal
