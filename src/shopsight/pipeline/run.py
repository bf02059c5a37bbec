"""A run: the stages in a row, with retries and a record.

:func:`run` does all stages in this process. Orchestrators give each stage a process that calls
:func:`run_single_stage`.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version

import structlog
import tenacity

from shopsight import __version__, publish
from shopsight.audit.watch import check_rules
from shopsight.errors import ExitCode, RunStopped, ShopsightError, defect, is_retryable
from shopsight.pipeline import stages
from shopsight.pipeline.current_run import Progress, Run, StageResult
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.memory import peak_bytes, reset_peak
from shopsight.pipeline.workspace import Workspace, new_run_id, remove_runs, sweep_runs
from shopsight.publish.privacy import Privacy
from shopsight.record import RunRecord, StageReport
from shopsight.settings import Settings

STAGES = tuple(stages.STAGES)

log = structlog.stdlib.get_logger("shopsight")


def run(
    settings: Settings,
    *,
    run_id: str | None = None,
    resume: bool = False,
    allow_shrink: bool = False,
    allow_older: bool = False,
    unpin: bool = False,
    on_progress: Progress | None = None,
) -> RunRecord:
    """Do all stages, and try again where that can help.

    Args:
        settings: the settings.
        run_id: the new run's id, or the id of the run to resume.
        resume: resume an earlier run, by default the newest: its whole stages are kept, and with them its
            snapshot.
        allow_shrink: publish even if the figures are much smaller than those served.
        allow_older: publish even if a younger snapshot is served.
        unpin: serve the new generation even if another one is pinned.
        on_progress: called as ``(stage, table, rows)``.

    Raises:
        ConfigurationError: the id is not a run's id.
        WorkspaceError: there is no such run to resume, or another process works on it.
        ShopsightError: the run failed; the error knows its stage and run, and the record is kept.
    """
    if resume:
        run_id = Workspace.existing(settings.workdir, run_id).run_id
    run_id = run_id or new_run_id()

    def attempt() -> RunRecord:
        with open_run(
            settings,
            run_id,
            allow_shrink=allow_shrink,
            allow_older=allow_older,
            unpin=unpin,
            on_progress=on_progress,
        ) as opened:
            for stage in STAGES:
                run_stage(opened, stage)
        return opened.record

    return _retrying(settings)(attempt)


def run_single_stage(
    settings: Settings, run_id: str, stage: str, *, allow_shrink: bool = False
) -> StageReport:
    """Do one stage of a run whose stages have a process each.

    The stages before it are checked first; one that was damaged since is done again.
    """
    with open_run(settings, run_id, allow_shrink=allow_shrink, keeps_reports=True) as opened:
        for earlier in STAGES[: STAGES.index(stage)]:
            report = _do(opened, earlier)
            # `prove` is always done again.
            if report.outcome == "done" and earlier != "prove":
                _record(opened, report)
        return run_stage(opened, stage)


@contextmanager
def open_run(
    settings: Settings,
    run_id: str | None = None,
    *,
    publishes: bool = True,
    keeps_reports: bool = False,
    allow_shrink: bool = False,
    allow_older: bool = False,
    unpin: bool = False,
    on_progress: Progress | None = None,
) -> Iterator[Run]:
    """A run's directory and record, and MongoDB, while the context lasts; :func:`run` has the arguments.

    Args:
        settings: the settings.
        run_id: a new id by default; the directory of a known one is used again.
        publishes: False for a plan, which does not connect to MongoDB.
        keeps_reports: keep the reports of stages that other processes did.
        allow_shrink: see :func:`run`.
        allow_older: see :func:`run`.
        unpin: see :func:`run`.
        on_progress: see :func:`run`.

    Raises:
        ConfigurationError: one of the user's own insights, or a rule of ``watch``, cannot be used.
        TargetUnavailable: MongoDB does not answer.
        WorkspaceError: the directory cannot be made, or another process works on this run.
    """
    workspace = Workspace.create(settings.workdir, run_id or new_run_id())
    with workspace.in_use(), ExitStack() as stack:
        kind = "run" if publishes else "plan"
        record = RunRecord(workspace.run_id, kind, "running", datetime.now(UTC), versions=versions())
        if (earlier := workspace.load_record()) is not None:
            record.started_at = earlier.started_at
            record.stages = earlier.stages if keeps_reports else []
        run = Run(settings, workspace, record, None, allow_shrink, allow_older, unpin, on_progress)
        try:
            workspace.write_record(record)
            record.own_insights = [own.as_record() for own in run.own_insights]
            check_rules(settings.watch, run.insights)
            served = None
            if publishes:
                run.target = stack.enter_context(open_target(settings))
                served = publish.served(run.target)
                run.served = served.generation if served is not None else None
                publish.save_run(run.target, record)
                _save_ends(run.target, settings)
            # Before the work, because runs that fail leave directories too.
            sweep_runs(settings.workdir, settings.keep_runs, served.run_id if served is not None else None)
            yield run
            _end(run, None)
        except BaseException as error:
            if isinstance(error, ShopsightError):
                error.located(None, run.run_id, run.state)
            _end(run, error)
            raise
        finally:
            _save(run)


def run_stage(run: Run, stage: str) -> StageReport:
    """Do one stage unless it is whole already, and report it in the record and the log.

    Raises:
        ShopsightError: knowing its stage and run.
    """
    report = _do(run, stage)
    _record(run, report)
    return report


def _do(run: Run, stage: str) -> StageReport:
    """Do one stage; only a failure is recorded."""
    started_at, clock = datetime.now(UTC), time.perf_counter()

    def report(outcome: str, result: StageResult) -> StageReport:
        taken = round(time.perf_counter() - clock, 3) if result.seconds is None else result.seconds
        rows = (result.rows_in, result.rows_out, result.rejected)
        return StageReport(stage, outcome, started_at, taken, *rows, peak_bytes())

    run.progress(stage, "", 0)
    reset_peak()
    try:
        result = stages.STAGES[stage](run)
    except BaseException as error:
        if isinstance(error, ShopsightError):
            error.located(stage, run.run_id, run.state)
        _record(run, report("failed", StageResult()))
        raise
    return report("kept" if result.is_kept else "done", result)


def _record(run: Run, report: StageReport) -> None:
    """Put a stage's report into the record and into the log."""
    run.record.stages = [*(other for other in run.record.stages if other.name != report.name), report]
    _write_record(run)
    (log.error if report.outcome == "failed" else log.info)(
        "stage",
        run_id=run.run_id,
        stage=report.name,
        rows_in=report.rows_in,
        rows_out=report.rows_out,
        rejected=report.rejected,
        seconds=report.seconds,
        outcome=report.outcome,
    )


def roll_back(settings: Settings, to: int | None = None) -> RunRecord:
    """Serve an earlier generation again and pin it, recorded in the history like a run.

    Args:
        settings: the settings.
        to: the generation's number; by default the one before the served.

    Raises:
        ConfigurationError: there is no such generation.
        LeaseHeld: a run publishes now.
    """
    with _leased(settings) as (target, lease):
        return publish.rollback(target, lease, to)


def unpin(settings: Settings) -> RunRecord:
    """End what :func:`roll_back` began: serve the newest proven generation, and every later one.

    Raises:
        ConfigurationError: nothing is pinned.
        LeaseHeld: a run publishes now.
    """
    with _leased(settings) as (target, lease):
        return publish.unpin(target, lease)


def forget(settings: Settings, customer_id: int | None, email: str | None) -> tuple[RunRecord, list[str]]:
    """Remove one person from all kept generations, and all runs' directories, which hold the raw data.

    Args:
        settings: the settings.
        customer_id: the person's id.
        email: the person's address, in place of the id.

    Returns:
        The record, which does not name the person, and the ids of the runs whose directories were removed.

    Raises:
        ConfigurationError: nobody has this id or address; nothing was changed.
        LeaseHeld: a run publishes now.
        WorkspaceError: a run is at work, whose snapshot may hold the person.
    """
    privacy, keep = Privacy.of(settings), settings.keep_generations
    run_ids = Workspace.run_ids(settings.workdir)
    raw = [Workspace(settings.workdir, run_id).folder("raw") for run_id in run_ids]
    with _leased(settings) as (target, lease):
        publish.require_known(target, customer_id, email, privacy=privacy, raw=raw)
        removed = remove_runs(settings.workdir)
        return publish.forget(target, lease, customer_id, email, privacy=privacy, keep=keep), removed


@contextmanager
def _leased(settings: Settings) -> Iterator[tuple[publish.Target, publish.Lease]]:
    """MongoDB, and the lease under an id of its own, while the context lasts."""
    with (
        open_target(settings) as target,
        publish.hold_lease(target, new_run_id(), settings.lease_duration) as lease,
    ):
        yield target, lease


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

    def log_retry(state: tenacity.RetryCallState) -> None:
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
        before_sleep=log_retry,
        reraise=True,
    )


def _end(run: Run, error: BaseException | None) -> None:
    """Note in the record how the run ended.

    A run that has published has succeeded, even if it fails after that. A run without an error that has not
    published goes on in another process.
    """
    record = run.record
    has_succeeded = record.generation is not None or (error is None and record.kind == "plan")
    if error is None and not has_succeeded:
        return
    record.ended_at = datetime.now(UTC)
    record.seconds = round((record.ended_at - record.started_at).total_seconds(), 3)
    record.status = "succeeded" if has_succeeded else "failed"
    if error is not None and not has_succeeded:
        if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
            error = RunStopped.from_outside()
        elif not isinstance(error, ShopsightError):
            error = defect(error)
        record.error = error.as_document()
        if error.exit_code is ExitCode.REFUSED:
            record.status = "refused"


def _save(run: Run) -> None:
    """Keep the record in the run's directory and in MongoDB."""
    _write_record(run)
    try:
        if run.target is not None:
            publish.save_run(run.target, run.record)
    except ShopsightError as unsaved:
        log.warning("history not saved", run_id=run.run_id, error=str(unsaved), state=run.state)


def _save_ends(target: publish.Target, settings: Settings) -> None:
    """Tell MongoDB how earlier runs of this working directory ended, if it was away at their end."""
    for run_id in Workspace.run_ids(settings.workdir):
        record = Workspace(settings.workdir, run_id).load_record()
        if record is not None and record.ended_at:
            stored = publish.find_run(target, run_id)
            if stored is not None and stored["status"] == "running":
                publish.save_run(target, record)


def _write_record(run: Run) -> None:
    """Keep the record in the run's directory.

    A failure is only logged: it must not hide the run's own error, and what is published stays published.
    """
    try:
        run.workspace.write_record(run.record)
    except ShopsightError as unsaved:
        log.warning("record not saved", run_id=run.run_id, error=str(unsaved), state=run.state)
