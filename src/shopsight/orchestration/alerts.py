"""Alerts: what an operator must know, by webhook (Slack-compatible JSON) and by command.

What is alerted: a run that failed, crashed, broke its proof or was refused; a run that rejected a greater
share of a table than ``alert_rejected_share``; and nothing having been published for too long. A run that was
stopped on purpose, or stepped back because another one was at work, is no alert.

Telling must never harm what is told about: every failure here is logged, and that is all.
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

from shopsight.errors import redact
from shopsight.inspect.freshness import freshness
from shopsight.record import RunRecord
from shopsight.settings import Settings

#: How long a receiver may take. A second try is made after a pause, for a webhook that is restarting.
WEBHOOK_SECONDS = 5.0
WEBHOOK_PAUSE_SECONDS = 1.0
COMMAND_SECONDS = 10.0

log = structlog.stdlib.get_logger("shopsight.orchestration.alerts")


class Kind(StrEnum):
    """Why an alert is sent; docs/operations.md says what to do at each."""

    FAILED = "failed"
    CRASHED = "crashed"
    PROOF_BROKEN = "proof_broken"
    REFUSED = "refused"
    REJECTED_ROWS = "rejected_rows"
    STALE = "stale"


@dataclass(frozen=True)
class Alert:
    """One thing to tell.

    Attributes:
        text: a sentence or two, enough to act on; without credentials.
        fields: what a program would look at: run_id, stage, error, remedy, table, share …
    """

    kind: Kind
    text: str
    fields: dict[str, Any] = field(default_factory=dict)

    def as_payload(self) -> dict[str, Any]:
        """The alert as JSON values: ``text`` and ``attachments`` for Slack, ``shopsight`` for programs."""
        fields = {"kind": str(self.kind), **self.fields, "host": socket.gethostname()}
        return {
            "text": self.text,
            "attachments": [
                {
                    "color": "warning" if self.kind is Kind.REJECTED_ROWS else "danger",
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


#: Errors whose alert has a kind of its own; an error of None is not told at all.
_KINDS: dict[str, Kind | None] = {
    "ProofBroken": Kind.PROOF_BROKEN,
    "RunCrashed": Kind.CRASHED,
    "RunStopped": None,
    "LeaseHeld": None,
}


def alerts_for(record: RunRecord | Mapping[str, Any], rejected_share: float) -> list[Alert]:
    """What is to be told of a run that has ended.

    Args:
        record: the run, or its document as it stands in ``run.json`` or ``pipeline_runs``.
        rejected_share: a table of which a greater share of rows was rejected is told.
    """
    document = record.as_document() if isinstance(record, RunRecord) else record
    alerts = []
    error = document.get("error")
    if document.get("status") in ("failed", "refused") and error:
        default = Kind.REFUSED if document["status"] == "refused" else Kind.FAILED
        kind = _KINDS.get(error["type"], default)
        if kind is not None:
            alerts.append(_of_error(kind, document, error))
    alerts += _of_rejected_rows(document, rejected_share)
    return alerts


def stale_alert(served: Mapping[str, Any] | None, now: datetime) -> Alert:
    """The alert for nothing having been published for too long."""
    state = freshness(served, now)
    return Alert(
        Kind.STALE,
        f"shopsight: {state.sentence} Readers still get it; look at the last runs (`shopsight runs`).",
        {
            "generation": (served or {}).get("generation"),
            "run_id": (served or {}).get("run_id"),
            "overdue_seconds": None if state.overdue is None else int(state.overdue.total_seconds()),
        },
    )


def send_alerts(settings: Settings, record: RunRecord | Mapping[str, Any]) -> list[Alert]:
    """Tell what is to be told of a run that has ended; returns what was told. Never raises."""
    alerts = alerts_for(record, settings.alert_rejected_share)
    for alert in alerts:
        send(settings, alert)
    return alerts


def send(settings: Settings, alert: Alert) -> None:
    """Tell one alert to the log, the webhook and the command. Never raises."""
    log.warning("alert", kind=str(alert.kind), text=alert.text, **alert.fields)
    body = json.dumps(alert.as_payload(), default=str, ensure_ascii=False).encode()
    # An empty one is none: environments cannot leave a name out as easily.
    if settings.alert_webhook is not None and (url := settings.alert_webhook.get_secret_value()):
        _note("webhook", urlsplit(url).hostname, _post(url, body))
    if settings.alert_command:
        _note("command", settings.alert_command, _run_command(settings.alert_command, body))


def _note(way: str, to: str | None, reason: str | None) -> None:
    """Log that an alert did not get through. A webhook's path is a secret: its host names it."""
    if reason is not None:
        log.error("alert not sent", by=way, to=to, reason=reason)


def _of_error(kind: Kind, document: Mapping[str, Any], error: Mapping[str, Any]) -> Alert:
    run_id, stage = error.get("run_id") or document.get("run_id"), error.get("stage")
    ended = {Kind.CRASHED: "crashed", Kind.REFUSED: "was refused", Kind.PROOF_BROKEN: "broke its proof"}
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


def _of_rejected_rows(document: Mapping[str, Any], limit: float) -> list[Alert]:
    tables = (document.get("ledger") or {}).get("tables") or []
    shares = [(table, table["rejected"] / table["rows_in"]) for table in tables if table["rows_in"]]
    return [
        Alert(
            Kind.REJECTED_ROWS,
            f"shopsight: run {document.get('run_id')} rejected {table['rejected']:,} of {table['rows_in']:,}"
            f" rows of {table['table']} ({share:.1%}; the limit is {limit:.1%}). What was published lacks"
            " them; the collection rejected_rows has each with its rule.",
            {
                "run_id": document.get("run_id"),
                "table": table["table"],
                "rejected": table["rejected"],
                "rows": table["rows_in"],
                "share": round(share, 4),
            },
        )
        for table, share in shares
        if share > limit
    ]


def _post(url: str, body: bytes) -> str | None:
    """Post to the webhook, twice at most; returns why it did not work."""
    if urlsplit(url).scheme not in ("http", "https"):
        return "its URL does not begin with http:// or https://"
    reason = None
    for attempt in range(2):
        if attempt:
            time.sleep(WEBHOOK_PAUSE_SECONDS)
        try:
            request = urllib.request.Request(  # noqa: S310 - the scheme was looked at
                url, body, {"Content-Type": "application/json", "User-Agent": "shopsight"}
            )
            with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):  # noqa: S310
                return None
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"it answered {error.code}"
            if error.code < 500:
                break
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".replace(url, "…")
    return reason


def _run_command(command: str, body: bytes) -> str | None:
    """Run the command with the alert on its input; returns why it did not work."""
    try:
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as error:
        return str(error)
    try:
        _, said = process.communicate(body, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"it took longer than {COMMAND_SECONDS:g} s"
    if process.returncode:
        return f"exit code {process.returncode}: {said.decode(errors='replace').strip()[-500:]}"
    return None
