"""The stages in a row.

:func:`run` does all of them, with retries. Orchestrators open a run with :func:`open_run` and do one stage at
a time, or, where each task is a process of its own, call :func:`run_single_stage`. What is more than order,
retry and bookkeeping lies in the stages.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import structlog
import tenacity

from shopsight import __version__
from shopsight.errors import ExitCode, PublishError, RunStopped, ShopsightError, defect, is_retryable
from shopsight.pipeline import stages
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.memory import peak_bytes, reset_peak
from shopsight.pipeline.stages import Progress, Run
from shopsight.pipeline.workspace import Workspace, new_run_id, sweep_runs
from shopsight.publish import Target, heal_views, hold_lease, rollback, save_run
from shopsight.record import RunRecord, StageReport
from shopsight.settings import Settings

STAGES = tuple(stages.STAGES)

log = structlog.stdlib.get_logger("shopsight")


class PipelineRun(Run):
    """An opened run that does stages one by one; made by :func:`open_run` and :func:`open_dry_run`."""

    def run_stage(self, name: str) -> StageReport:
        """Do one stage, or find it whole already; either way the record knows it afterwards.

        Raises:
            ShopsightError: knowing its stage and run.
        """
        started_at, clock = datetime.now(UTC), time.perf_counter()
        outcome, figures = "failed", stages.Figures()
        self.progress(name, "", 0)
        reset_peak()
        try:
            figures = stages.STAGES[name](self)
            outcome = "kept" if figures.is_kept else "done"
        except ShopsightError as error:
            error.located(name, self.run_id)
            raise
        finally:
            taken = round(time.perf_counter() - clock, 3)
            report = StageReport(
                name,
                outcome,
                started_at,
                figures.seconds if figures.seconds is not None else taken,
                figures.rows_in,
                figures.rows_out,
                figures.rejected,
                peak_bytes(),
            )
            self.record.stages = [*(r for r in self.record.stages if r.name != name), report]
            self.workspace.write_record(self.record.as_document())
            log.info(
                "stage",
                run_id=self.run_id,
                stage=name,
                rows_in=report.rows_in,
                rows_out=report.rows_out,
                rejected=report.rejected,
                seconds=report.seconds,
                outcome=outcome,
            )
        return report


@contextmanager
def open_run(
    settings: Settings,
    *,
    run_id: str | None = None,
    resume: bool = False,
    allow_shrink: bool = False,
    on_progress: Progress | None = None,
) -> Iterator[PipelineRun]:
    """Open a run: connect to MongoDB, take the lease, and keep the record until it is over.

    Args:
        settings: the settings.
        run_id: the run's id; a new one by default. A run that is known by this id is gone on with.
        resume: go on with an earlier run, by default the newest: its whole stages are kept, so its snapshot
            stays the same.
        allow_shrink: let the shrink guard pass once.
        on_progress: called as ``(stage, table, rows)``.

    Raises:
        LeaseHeld: another run is at work.
        TargetUnavailable: MongoDB does not answer.
        WorkspaceError: there is no such run to resume, or no place for a new one.
    """
    workspace = _workspace(settings, run_id, resume=resume)
    with (
        workspace.in_use(),
        _kept_record(workspace) as record,
        open_target(settings) as target,
        hold_lease(target, record.run_id, settings.lease_duration) as lease,
        _published_record(target, record),
    ):
        heal_views(target)
        # Before the work, not after it: runs that fail leave directories too.
        sweep_runs(settings.workdir, settings.keep_runs)
        yield PipelineRun(settings, workspace, record, target, lease, allow_shrink, on_progress)


@contextmanager
def open_dry_run(settings: Settings, *, on_progress: Progress | None = None) -> Iterator[PipelineRun]:
    """Open a run that does everything but publish: it touches no MongoDB and holds no lease."""
    workspace = _workspace(settings, None, resume=False)
    with workspace.in_use(), _kept_record(workspace, kind="plan") as record:
        sweep_runs(settings.workdir, settings.keep_runs)
        yield PipelineRun(settings, workspace, record, on_progress=on_progress)
        record.status, record.ended_at = "succeeded", datetime.now(UTC)
        record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)


def run(
    settings: Settings,
    *,
    run_id: str | None = None,
    resume: bool = False,
    allow_shrink: bool = False,
    on_progress: Progress | None = None,
) -> RunRecord:
    """Do all stages, trying again what can be helped by it. See :func:`open_run` for the arguments.

    Raises:
        ShopsightError: what made it fail, knowing its stage and run; the record is kept all the same.
    """
    run_id = run_id or (None if resume else new_run_id())
    retrying = _retrying(settings)

    def attempt() -> RunRecord:
        with open_run(
            settings, run_id=run_id, resume=resume, allow_shrink=allow_shrink, on_progress=on_progress
        ) as opened:
            for name in STAGES:
                opened.run_stage(name)
            return opened.record

    return retrying(attempt)


def run_single_stage(
    settings: Settings, run_id: str, stage: str, *, allow_shrink: bool = False
) -> StageReport:
    """Do one stage of a run whose stages are tasks in processes of their own.

    The stages before it are looked at first and found whole; one that was damaged since is done again.
    """
    with open_run(settings, run_id=run_id, allow_shrink=allow_shrink) as opened:
        for name in STAGES[: STAGES.index(stage)]:
            opened.run_stage(name)
        return opened.run_stage(stage)


def roll_back(settings: Settings, to: int | None = None) -> RunRecord:
    """Serve an earlier generation again, recorded in the history like a run.

    Args:
        settings: the settings.
        to: the generation's number; by default the one before the served.

    Raises:
        ConfigurationError: there is no such generation.
        LeaseHeld: a run is at work.
    """
    with (
        open_target(settings) as target,
        hold_lease(target, new_run_id(), settings.lease_duration) as lease,
    ):
        return rollback(target, lease, to)


def versions() -> dict[str, str]:
    """The versions that a run was made with."""
    libraries = ("polars", "narwhals", "pyarrow", "pymongo", "adbc-driver-postgresql")
    return {
        "shopsight": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in libraries},
    }


def _retrying(settings: Settings) -> tenacity.Retrying:
    """Exponential backoff with jitter, for what :func:`shopsight.errors.is_retryable` says."""
    delay = settings.retry_delay.total_seconds()

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        log.warning(
            "retry",
            attempt=state.attempt_number,
            of=settings.retries,
            seconds=round(state.upcoming_sleep, 1),
            stage=getattr(error, "stage", None),
            error=str(error),
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_retryable),
        stop=tenacity.stop_after_attempt(settings.retries + 1),
        wait=tenacity.wait_exponential(multiplier=delay, max=300) + tenacity.wait_random(0, delay / 2),
        before_sleep=tell,
        reraise=True,
    )


def _workspace(settings: Settings, run_id: str | None, *, resume: bool) -> Workspace:
    if resume:
        return Workspace.existing(settings.workdir, run_id)
    return Workspace.create(settings.workdir, run_id or new_run_id())


@contextmanager
def _kept_record(workspace: Workspace, kind: str = "run") -> Iterator[RunRecord]:
    """A record that says how the run ended, kept beside the run's data."""
    record = RunRecord(workspace.run_id, kind, "running", datetime.now(UTC), versions=versions())
    earlier = workspace.read_record().get("started_at")
    if earlier is not None:
        record.started_at = datetime.fromisoformat(earlier)
    workspace.write_record(record.as_document())
    try:
        yield record
    except BaseException as error:
        _end(record, error)
        raise
    finally:
        workspace.write_record(record.as_document())


@contextmanager
def _published_record(target: Target, record: RunRecord) -> Iterator[None]:
    """The same record in ``pipeline_runs``; a run must not fail because its history cannot be written."""
    save_run(target, record)
    try:
        yield
        _end(record, None)
    except BaseException as error:
        _end(record, error)
        raise
    finally:
        try:
            save_run(target, record)
        except PublishError as unsaved:
            log.warning("history", run_id=record.run_id, error=str(unsaved))


def _end(record: RunRecord, error: BaseException | None) -> None:
    """Note how a run ended. A run that left some stages to other processes goes on running.

    One that has published has succeeded, whatever came between it and its end.
    """
    if error is None and record.generation is None:
        return
    record.ended_at = datetime.now(UTC)
    record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)
    if error is None or record.generation is not None:
        record.status = "succeeded"
    elif isinstance(error, ShopsightError):
        record.status = "refused" if error.exit_code is ExitCode.REFUSED else "failed"
        record.error = error.as_document()
    else:
        record.status = "failed"
        record.error = _unexpected(error)


def _unexpected(error: BaseException) -> dict[str, Any]:
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return RunStopped.from_outside().as_document()
    return defect(error).as_document()
