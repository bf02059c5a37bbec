"""Alerts to an operator, by webhook (Slack-compatible JSON) and by command.

There is an alert for a run that failed, crashed, broke its proof or was refused; for a run that rejected a
greater share of a table than ``alert_rejected_share``; for each figure beyond a limit of ``watch``; once a
day, for a run whose generation was not served because another one is pinned; and if nothing was published for
too long. A run that was stopped on purpose, or refused because another one publishes, sends none.

A failure to send is logged and changes nothing else. Neither a webhook's URL nor a command's arguments and
output are logged, because they may hold a token.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import structlog

from shopsight import publish
from shopsight.errors import ShopsightError
from shopsight.errors.redaction import redact
from shopsight.inspect.freshness import freshness
from shopsight.pipeline.databases import open_target
from shopsight.record import RunRecord, TableLedger, Watched
from shopsight.settings import Settings

#: How long a receiver may take. A second try is made after a pause, for a webhook that is restarting.
WEBHOOK_SECONDS = 5.0
WEBHOOK_PAUSE_SECONDS = 1.0
COMMAND_SECONDS = 10.0

log = structlog.stdlib.get_logger("shopsight.orchestration.alerts")


class AlertKind(StrEnum):
    """The reason for an alert; docs/operations.md says what to do at each."""

    FAILED = "failed"
    CRASHED = "crashed"
    PROOF_BROKEN = "proof_broken"
    REFUSED = "refused"
    WATCH = "watch"
    REJECTED_ROWS = "rejected_rows"
    PINNED = "pinned"
    STALE = "stale"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        text: a sentence or two, enough to act on; without credentials.
        fields: values for programs: run_id, stage, error, remedy, table, share …
    """

    kind: AlertKind
    text: str
    fields: dict[str, Any] = field(default_factory=dict)

    def as_payload(self) -> dict[str, Any]:
        """The alert as JSON values: ``text`` and ``attachments`` for Slack, ``shopsight`` for programs."""
        fields = {"kind": str(self.kind), **self.fields, "host": socket.gethostname()}
        return {
            "text": self.text,
            "attachments": [
                {
                    "color": "warning"
                    if self.kind in (AlertKind.REJECTED_ROWS, AlertKind.PINNED, AlertKind.WATCH)
                    else "danger",
                    "fallback": self.text,
                    "fields": [
                        {"title": name, "value": str(value), "short": len(str(value)) < 40}
                        for name, value in fields.items()
                        if value is not None
                    ],
                }
            ],
            "shopsight": fields,
        }


#: Errors whose alerts have a special kind; None for those that send no alert.
_KINDS: dict[str, AlertKind | None] = {
    "ProofBroken": AlertKind.PROOF_BROKEN,
    "RunCrashed": AlertKind.CRASHED,
    "RunStopped": None,
    "LeaseHeld": None,
}


def alerts_for(record: RunRecord, rejected_share: float) -> list[Alert]:
    """The alerts for a run that has ended.

    Args:
        record: the run.
        rejected_share: a table exceeds its limit if a greater share of its rows was rejected.
    """
    alerts = []
    if record.error is not None and record.status in ("failed", "refused"):
        default = AlertKind.REFUSED if record.status == "refused" else AlertKind.FAILED
        kind = _KINDS.get(record.error["type"], default)
        if kind is not None:
            alerts.append(_of_error(kind, record.run_id, record.error))
    for table in record.ledger.tables:
        share = table.rejected / table.rows_in if table.rows_in else 0.0
        if share > rejected_share:
            alerts.append(_of_rejected_rows(record.run_id, table, share, rejected_share))
    alerts += [_of_watched(record.run_id, watched) for watched in record.watched if watched.alarm]
    if record.pinned is not None:
        alerts.append(_of_pin(record))
    return alerts


def stale_alert(served: Mapping[str, Any] | None, now: datetime) -> Alert:
    """The alert if nothing was published for too long."""
    state = freshness(served, now)
    return Alert(
        AlertKind.STALE,
        f"shopsight: {state.sentence} Readers still get it; look at the last runs (`shopsight runs`).",
        {
            "generation": (served or {}).get("generation"),
            "run_id": (served or {}).get("run_id"),
            "overdue_seconds": None if state.overdue is None else int(state.overdue.total_seconds()),
        },
    )


def send_alerts(settings: Settings, record: RunRecord) -> list[Alert]:
    """Send the alerts for a run that has ended, and return them. Never raises."""
    alerts = alerts_for(record, settings.alert_rejected_share)
    if record.pinned is not None and not _is_pin_due(settings):
        alerts = [alert for alert in alerts if alert.kind is not AlertKind.PINNED]
    for alert in alerts:
        send(settings, alert)
    return alerts


def send(settings: Settings, alert: Alert) -> None:
    """Send one alert to the log, the webhook and the command. Never raises."""
    log.warning("alert", kind=str(alert.kind), text=alert.text, **alert.fields)
    body = json.dumps(alert.as_payload(), default=str, ensure_ascii=False).encode()
    # Empty means none, because an environment file cannot leave a name out as easily.
    url, command = (
        given.get_secret_value() if given is not None else ""
        for given in (settings.alert_webhook, settings.alert_command)
    )
    if url and (reason := _post(url, body)):
        log.error("alert not sent", by="webhook", to=urlsplit(url).hostname, reason=reason)
    if command and (reason := _run_command(command, body)):
        log.error("alert not sent", by="command", to=command.split(maxsplit=1)[0], reason=reason)


def _of_error(kind: AlertKind, run_id: str, error: Mapping[str, Any]) -> Alert:
    stage = error.get("stage")
    ended = {
        AlertKind.CRASHED: "crashed",
        AlertKind.REFUSED: "was refused",
        AlertKind.PROOF_BROKEN: "broke its proof",
    }
    where = f" in {stage}" if stage else ""
    remedy = f" {error['remedy']}" if error.get("remedy") else ""
    return Alert(
        kind,
        redact(f"shopsight: run {run_id} {ended.get(kind, 'failed')}{where}. {error['message']}{remedy}"),
        {
            "run_id": run_id,
            "stage": stage,
            "error": error["type"],
            "message": redact(error["message"]),
            "remedy": redact(error.get("remedy") or ""),
        },
    )


def _of_rejected_rows(run_id: str, table: TableLedger, share: float, limit: float) -> Alert:
    return Alert(
        AlertKind.REJECTED_ROWS,
        f"shopsight: run {run_id} rejected {table.rejected:,} of {table.rows_in:,} rows of {table.table}"
        f" ({share:.1%}; the limit is {limit:.1%}). They are not in what was published; the"
        " collection rejected_rows has each with its rule.",
        {
            "run_id": run_id,
            "table": table.table,
            "rejected": table.rejected,
            "rows": table.rows_in,
            "share": round(share, 4),
        },
    )


def _of_watched(run_id: str, watched: Watched) -> Alert:
    figures = {
        name: None if figure is None else str(figure)
        for name, figure in (("value", watched.value), ("before", watched.before))
    }
    return Alert(
        AlertKind.WATCH,
        f"shopsight: run {run_id}: {watched.sentence} Nothing was withheld.",
        {"run_id": run_id, "rule": watched.rule, **figures, "alarm": watched.alarm},
    )


def _of_pin(record: RunRecord) -> Alert:
    return Alert(
        AlertKind.PINNED,
        f"shopsight: generation {record.pinned} is pinned by a rollback, so generation {record.generation} of"
        f" run {record.run_id} was kept and is not served. `shopsight unpin` serves the newest.",
        {"run_id": record.run_id, "generation": record.generation, "pinned": record.pinned},
    )


def _is_pin_due(settings: Settings) -> bool:
    """Whether the day's alert about the pin was not sent yet; with MongoDB away there is none."""
    try:
        with open_target(settings) as target:
            return publish.take_pin_alert(target)
    except ShopsightError as away:
        log.warning("pin unknown", error=str(away))
        return False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: following one would turn the POST into a GET, and lose the alert."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _post(url: str, body: bytes) -> str | None:
    """Post to the webhook, at most twice; returns why it failed."""
    if urlsplit(url).scheme not in ("http", "https"):
        return "its URL does not begin with http:// or https://"
    opener = urllib.request.build_opener(_NoRedirects)
    reason = None
    for attempt in range(2):
        if attempt:
            time.sleep(WEBHOOK_PAUSE_SECONDS)
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "shopsight"}
            request = urllib.request.Request(url, body, headers)  # noqa: S310 - the scheme was looked at
            with opener.open(request, timeout=WEBHOOK_SECONDS):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"it answered {error.code}"
            if error.code < 500:
                break
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The error's own text may quote the URL.
            reason = type(getattr(error, "reason", error)).__name__
    return reason


def _run_command(command: str, body: bytes) -> str | None:
    """Run the command with the alert on its input; returns why it failed."""
    try:
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        return getattr(error, "strerror", None) or "it cannot be read as a command line"
    try:
        process.communicate(body, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"it took longer than {COMMAND_SECONDS:g} s"
    return f"exit code {process.returncode}" if process.returncode else None
