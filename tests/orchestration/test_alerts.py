"""Alerts, received by a real HTTP server and a real command."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from shopsight.errors import LeaseHeld, ProofBroken, RunCrashed, RunStopped, ShopsightError, SourceUnavailable
from shopsight.logs import bind_structlog
from shopsight.orchestration import alerts
from shopsight.orchestration.alerts import Alert, AlertKind, alerts_for, send, send_alerts, stale_alert
from shopsight.record import Ledger, RunRecord, TableLedger
from shopsight.settings import Settings, load_settings

STARTED = datetime(2026, 11, 22, 18, tzinfo=UTC)
RUN_ID = "20261122T180000Z-1f3a9c"


class Receiver(ThreadingHTTPServer):
    """A webhook: keeps what it gets, and answers with the next of ``answers`` (200 after the last)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.pause = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/s3cret-path"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append({"path": self.path, "type": self.headers["Content-Type"], "body": body})
        time.sleep(self.server.pause)
        code = self.server.answers.pop(0) if self.server.answers else 200
        self.send_response(code)
        if code == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the base class's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _logging(monkeypatch: pytest.MonkeyPatch) -> None:
    bind_structlog()
    monkeypatch.setattr(alerts, "WEBHOOK_PAUSE_SECONDS", 0.01)


def _settings(**given: Any) -> Settings:
    return load_settings(**given)


def _record(error: ShopsightError | None = None, rejected: int = 0, status: str = "failed") -> RunRecord:
    table = TableLedger("orders", rows_in=1000, rows_out=1000 - rejected, rejected=rejected, merged=0)
    return RunRecord(
        RUN_ID,
        "run",
        status if error else "succeeded",
        STARTED,
        ledger=Ledger(tables=[table]),
        error=error.located("extract", RUN_ID).as_document() if error else None,
    )


def test_a_failed_run_reaches_the_webhook_as_slack_reads_it(receiver: Receiver) -> None:
    error = SourceUnavailable("db:5432 does not answer.", remedy="Start it.")

    send_alerts(_settings(alert_webhook=receiver.url), _record(error))

    [got] = receiver.got
    assert got["type"] == "application/json"
    assert got["body"]["text"] == (
        f"shopsight: run {RUN_ID} failed in extract. db:5432 does not answer. Start it."
    )
    [attachment] = got["body"]["attachments"]
    assert attachment["color"] == "danger"
    assert {"title": "stage", "value": "extract", "short": True} in attachment["fields"]
    program = got["body"]["shopsight"]
    assert (program["kind"], program["run_id"], program["error"]) == ("failed", RUN_ID, "SourceUnavailable")


@pytest.mark.parametrize(
    ("error", "status", "kinds"),
    [
        (SourceUnavailable("away"), "failed", [AlertKind.FAILED]),
        (
            RunCrashed.because("it ended by SIGKILL", stage="clean", run_id=RUN_ID),
            "failed",
            [AlertKind.CRASHED],
        ),
        (ProofBroken.between("raw = clean", "orders.rows", 3, 2), "refused", [AlertKind.PROOF_BROKEN]),
        (ShopsightError("the shrink guard"), "refused", [AlertKind.REFUSED]),
        (RunStopped.from_outside(), "failed", []),
        (LeaseHeld("another run is at work"), "refused", []),
    ],
)
def test_each_end_of_a_run_has_its_kind(error: ShopsightError, status: str, kinds: list[AlertKind]) -> None:
    assert [alert.kind for alert in alerts_for(_record(error, status=status), rejected_share=0.1)] == kinds


def test_a_good_run_sends_no_alert(receiver: Receiver) -> None:
    assert send_alerts(_settings(alert_webhook=receiver.url), _record()) == []
    assert receiver.got == []


def test_many_rejected_rows_in_a_good_run_send_an_alert(receiver: Receiver) -> None:
    settings = _settings(alert_webhook=receiver.url, alert_rejected_share=0.02)

    assert send_alerts(settings, _record(rejected=20)) == []
    [alert] = send_alerts(settings, _record(rejected=21))

    assert alert.kind is AlertKind.REJECTED_ROWS
    assert "rejected 21 of 1,000 rows of orders (2.1%; the limit is 2.0%)" in alert.text
    assert receiver.got[0]["body"]["shopsight"]["share"] == 0.021


def test_a_run_s_document_gives_the_same_alerts_as_the_run() -> None:
    record = _record(SourceUnavailable("away"), rejected=500)
    from_file = RunRecord.from_document(json.loads(json.dumps(record.as_document(), default=str)))

    assert alerts_for(from_file, 0.1) == alerts_for(record, 0.1) != []


def test_nothing_published_for_too_long_sends_an_alert() -> None:
    served = {
        "generation": 7,
        "run_id": RUN_ID,
        "as_of": STARTED,
        "valid_until": STARTED + timedelta(hours=6),
    }

    alert = stale_alert(served, STARTED + timedelta(hours=8))

    assert alert.kind is AlertKind.STALE
    assert "Generation 7 is stale: 8h old, and a newer one was due 2h ago." in alert.text
    assert alert.fields["overdue_seconds"] == 7200


def test_a_webhook_that_restarts_is_tried_again(receiver: Receiver) -> None:
    receiver.answers = [503]

    send(_settings(alert_webhook=receiver.url), Alert(AlertKind.STALE, "stale"))

    assert len(receiver.got) == 2


def test_a_webhook_that_refuses_is_not_tried_again_and_its_address_stays_secret(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [404]

    send(_settings(alert_webhook=receiver.url), Alert(AlertKind.STALE, "stale"))

    assert len(receiver.got) == 1
    assert "alert not sent by=webhook to=127.0.0.1 reason='it answered 404'" in caplog.text
    assert "s3cret-path" not in caplog.text


def test_a_webhook_that_hangs_or_is_gone_harms_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "WEBHOOK_SECONDS", 0.1)
    receiver.pause = 0.5
    for url in (receiver.url, "http://127.0.0.1:1/s3cret-path", "ftp://127.0.0.1/s3cret-path", "nonsense"):
        send(_settings(alert_webhook=url), Alert(AlertKind.STALE, "stale"))

    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 4
    assert "s3cret-path" not in caplog.text


def test_a_command_gets_the_alert_on_its_input(tmp_path: Path) -> None:
    script, kept = tmp_path / "alert me.py", tmp_path / "kept.json"
    script.write_text(f"import sys; open({str(kept)!r}, 'w').write(sys.stdin.read())")

    send(_settings(alert_command=f"{sys.executable} '{script}'"), Alert(AlertKind.STALE, "Umsätze fehlen"))

    assert json.loads(kept.read_text())["text"] == "Umsätze fehlen"


def test_a_command_that_fails_hangs_or_is_missing_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "COMMAND_SECONDS", 0.2)
    for command in ("sh -c 'echo no such user >&2; exit 3'", "sh -c 'sleep 30'", "/no/such/program", "'"):
        send(_settings(alert_command=command), Alert(AlertKind.STALE, "stale"))

    reasons = [record.event["reason"] for record in caplog.records if record.levelno == logging.ERROR]
    assert reasons[0] == "exit code 3"
    assert reasons[1] == "it took longer than 0.2 s"
    assert reasons[2] == "No such file or directory"
    assert reasons[3] == "it cannot be read as a command line"


def test_arguments_and_output_of_a_command_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    for command in ("sh -c 'echo 5ecret >&2; exit 3' --key 5ecret", "/no/such/program 5ecret", "a '5ecret"):
        send(_settings(alert_command=command), Alert(AlertKind.STALE, "stale"))

    assert caplog.text.count("alert not sent by=command") == 3
    assert "5ecret" not in caplog.text


def test_webhook_that_redirects_is_a_failure_and_is_not_followed(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [302]

    send(_settings(alert_webhook=receiver.url), Alert(AlertKind.STALE, "stale"))

    assert len(receiver.got) == 1
    assert "reason='it answered 302'" in caplog.text
    assert "s3cret-path" not in caplog.text


def test_no_credential_is_in_an_alert(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    record = _record(SourceUnavailable("away"))
    assert record.error is not None
    record.error["message"] = "postgresql://ann:s3cret@db/shop is away, password=s3cret"

    send_alerts(_settings(alert_webhook=receiver.url), record)

    assert "s3cret" not in json.dumps(receiver.got[0]["body"]) + caplog.text
