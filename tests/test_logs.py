"""What a log line looks like, and that no credential gets into one."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from shopsight.logs import configure_logging

log = structlog.stdlib.get_logger("shopsight.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    logger = logging.getLogger("shopsight")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:], logger.level = handlers, level
    logger.setLevel(level)


def _stderr(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_elsewhere_than_on_a_terminal_a_line_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _stderr(monkeypatch, io.StringIO())
    configure_logging()

    log.info("stage", run_id="R", stage="clean", rows_in=3, rejected=None)

    line = json.loads(said.getvalue())
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "shopsight.test",
        "event": "stage",
        "run_id": "R",
        "stage": "clean",
        "rows_in": 3,
        "rejected": None,
    }


def test_on_a_terminal_a_line_is_readable_and_only_warnings_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = _stderr(monkeypatch, Terminal())
    configure_logging()

    log.info("stage", stage="clean")
    log.warning("retry", attempt=1, seconds=2.5, error="no route to host")

    assert said.getvalue()[8:] == " WARNING retry attempt=1 seconds=2.5 error='no route to host'\n"


def test_control_characters_do_not_reach_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _stderr(monkeypatch, Terminal())
    configure_logging()

    log.warning("retry", error="table a\x1b[2J\x9bb\u202e\nis missing", table="a\x1b[2Jb")

    assert said.getvalue().isascii()
    assert "\x1b" not in said.getvalue()


def test_configuring_twice_logs_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _stderr(monkeypatch, io.StringIO())
    configure_logging()
    configure_logging(json=False, level="DEBUG")

    log.debug("detail", at="here")

    assert said.getvalue()[8:] == " DEBUG   detail at=here\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_no_credential_is_written(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    said = _stderr(monkeypatch, io.StringIO())
    configure_logging(json=as_json)

    log.warning("connect", url="postgresql://ann:s3cret@db/shop", deep={"urls": ["mongodb://a:s3cret@m/"]})
    log.warning("settings", target_password="s3cret", api_token="s3cret")
    logging.getLogger("shopsight.plain").error("cannot reach %s", "mongodb://ann:s3cret@db/")
    try:
        int("password=s3cret")
    except ValueError:
        log.exception("boom")
        logging.getLogger("shopsight.plain").exception("boom")

    assert "s3cret" not in said.getvalue()
    assert said.getvalue().count("mongodb://***@") == 2
    assert said.getvalue().count("Traceback") == 2


def test_a_plain_record_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _stderr(monkeypatch, io.StringIO())
    configure_logging(json=True)

    logging.getLogger("shopsight.plain").info("%d rows", 3, extra={"flow_run_name": "R", "flow": object()})

    line = json.loads(said.getvalue())
    assert (line["event"], line["flow_run_name"]) == ("3 rows", "R")
    assert "flow" not in line


def test_an_exception_is_logged_once_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _stderr(monkeypatch, io.StringIO())
    configure_logging(json=True)

    try:
        {}["x"]
    except KeyError:
        log.exception("boom", run_id="R")

    line = json.loads(said.getvalue())
    assert line["run_id"] == "R"
    assert line["exception"].endswith("KeyError: 'x'")
