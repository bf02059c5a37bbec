"""What a person at a terminal gets: the reason at once, and no retries unless asked for."""

from __future__ import annotations

import json
import os
import pty
import sys
from dataclasses import dataclass

from tests.support.command_line import shopsight

COMMAND = [sys.executable, "-c", "from shopsight.cli import main; main()"]
NOWHERE = ["--source", "postgresql://ann:s3cret@127.0.0.1:1/shop", "--target", "mongodb://127.0.0.1:1/"]


@dataclass(frozen=True)
class Shown:
    """What stood on the terminal when a command ended."""

    code: int
    text: str


def on_a_terminal(*arguments: str, **environment: str) -> Shown:
    child, terminal = pty.fork()
    if child == 0:
        os.execve(COMMAND[0], [*COMMAND, *arguments], {**os.environ, "TERM": "xterm", **environment})  # noqa: S606
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return Shown(os.waitstatus_to_exitcode(status), shown.decode())


def test_a_run_on_a_terminal_says_what_it_waits_for_and_does_not_retry() -> None:
    # With retries the test would end by its time limit.
    shown = on_a_terminal("run", *NOWHERE, SHOPSIGHT_RETRIES="9", SHOPSIGHT_RETRY_DELAY="1h")
    assert shown.code == 1
    assert "Waiting for postgresql://127.0.0.1:1/shop and mongodb://127.0.0.1:1 …" in shown.text
    assert "PostgreSQL at postgresql://127.0.0.1:1/shop does not answer" in shown.text
    assert "MongoDB at mongodb://127.0.0.1:1 does not answer" in shown.text
    assert "s3cret" not in shown.text


def test_a_run_on_a_terminal_retries_if_asked_to() -> None:
    shown = on_a_terminal(
        "run", *NOWHERE, "--retries", "1", SHOPSIGHT_RETRY_DELAY="0s", SHOPSIGHT_CONNECT_TIMEOUT="1s"
    )
    assert shown.code == 1
    assert "retry attempt=1 of=1" in shown.text
    assert "MongoDB at mongodb://127.0.0.1:1 does not answer" in shown.text.partition("retry")[0]


def test_a_run_without_a_terminal_names_both_databases_before_it_retries() -> None:
    given = {"SHOPSIGHT_RETRIES": "1", "SHOPSIGHT_RETRY_DELAY": "0s", "SHOPSIGHT_CONNECT_TIMEOUT": "1s"}
    ended = shopsight("run", *NOWHERE, **given)
    assert ended.code == 1
    first = json.loads(ended.err.splitlines()[0])
    assert "PostgreSQL at postgresql://127.0.0.1:1/shop does not answer" in first["error"]
    assert "MongoDB at mongodb://127.0.0.1:1 does not answer" in first["error"]
    assert "s3cret" not in ended.err
