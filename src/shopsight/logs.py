"""Logs: structlog's events through the standard library, readable on a terminal, JSON elsewhere.

An event is a name and values: ``log.info("stage", run_id=…, stage="clean", rows_in=…)``. It travels as an
ordinary log record whose message is the readable line and whose ``event`` holds the values, so that every
handler can show it, an orchestrator's own included; :class:`JsonFormatter` writes the values themselves.

Every text in an event, and every line that is written, goes through :func:`shopsight.errors.redact`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from shopsight.errors.redaction import redact

#: The logger above all of shopsight's.
ROOT = "shopsight"

_SECRET_NAME = re.compile(r"(?i)passw|secret|token|webhook")


def configure_logging(json: bool | None = None, level: str | None = None) -> None:
    """Send the logs of shopsight to stderr, and bind structlog to the standard library. May be called again.

    Args:
        json: one JSON document a line, or readable lines; by default JSON unless stderr is a terminal.
        level: the least level that is written; by default INFO, and WARNING on a terminal, where the
            commands show what they do in their own way.
    """
    is_terminal = sys.stderr.isatty()
    bind_structlog()
    handler = _StderrHandler()
    as_json = not is_terminal if json is None else json
    handler.setFormatter(JsonFormatter() if as_json else ReadableFormatter())
    logger = logging.getLogger(ROOT)
    for old in [old for old in logger.handlers if isinstance(old, _StderrHandler)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(level or ("WARNING" if is_terminal else "INFO"))


def bind_structlog() -> None:
    """Make structlog's loggers write records of the standard library; adds no handler.

    For processes whose log somebody else has set up. INFO and above is written unless a level is set.
    """
    logger = logging.getLogger(ROOT)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            redacted,
            as_record,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redacted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor: every text in the event without credentials, at any depth.

    >>> redacted(None, "info", {"event": "connect", "urls": ["mongodb://ann:s3cret@db/"]})
    {'event': 'connect', 'urls': ['mongodb://***@db/']}
    """
    clean: EventDict = _redact_value(event)
    return clean


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {
            key: "***" if _SECRET_NAME.search(str(key)) else _redact_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact_value(inner) for inner in value]
    if isinstance(value, BaseException):
        return redact(str(value))
    return value


def as_record(_logger: WrappedLogger, _method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """The last processor: what the standard library's logger is called with."""
    # exc_info is spent: its traceback is in the event, and Logger.exception would add it again.
    return (as_line(event),), {"extra": {"event": dict(event)}, "exc_info": None}


def as_line(event: Mapping[str, Any]) -> str:
    """An event as one readable line: its name, then its values; what is None is left out.

    >>> as_line({"event": "stage", "stage": "clean", "rows_in": 12, "rejected": None, "outcome": "all well"})
    "stage stage=clean rows_in=12 outcome='all well'"
    """
    values = [
        f"{key}={_as_word(value)}"
        for key, value in event.items()
        if key not in ("event", "exception") and value is not None
    ]
    line = " ".join([str(event.get("event", "")), *values])
    return f"{line}\n{event['exception']}" if event.get("exception") else line


def _as_word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return repr(text) if isinstance(value, str) and (not text or any(c.isspace() for c in text)) else text


#: The attributes of every record; callers add others, for instance the flow run that it belongs to.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"event", "message", "asctime", "taskName"}


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras = {name: value for name, value in vars(record).items() if name not in _USUAL}
    return {name: value for name, value in extras.items() if isinstance(value, str | int | float)}


class JsonFormatter(logging.Formatter):
    """One JSON document a record: timestamp, level, logger, event and its values."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        event: Mapping[str, Any] = getattr(record, "event", None) or {"event": record.getMessage()}
        document = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event.get("event"),
            **_extras(record),
            **event,
        }
        if record.exc_info and "exception" not in document:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(_redact_value(document), default=str, ensure_ascii=False)


class ReadableFormatter(logging.Formatter):
    """The local time, the level unless it is INFO, and the line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """The line without a traceback, which the standard library adds."""
        line = super().formatMessage(record)
        return line if record.levelno == logging.INFO else f"{line[:8]} {record.levelname:<8}{line[9:]}"

    def format(self, record: logging.LogRecord) -> str:
        """The record, traceback included, without credentials and control characters."""
        text = redact(super().format(record))
        return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


class _StderrHandler(logging.StreamHandler[Any]):
    """Writes to what ``sys.stderr`` is at the time, so that a progress display can put lines above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, stream: Any) -> None:
        """The base class sets it; only ``sys.stderr`` is used."""
