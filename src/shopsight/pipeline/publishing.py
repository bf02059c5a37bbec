"""The last stage: the marts become the served generation, or none of them does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from shopsight import publish
from shopsight.audit import guards, proof
from shopsight.audit.parquet import read_batches
from shopsight.audit.watch import Figures, watch
from shopsight.errors import PublishError, ShopsightError
from shopsight.pipeline.current_run import Run, StageResult, rows_in, tally
from shopsight.publish.privacy import Privacy

log = structlog.stdlib.get_logger("shopsight")


def publish_generation(run: Run) -> StageResult:
    """Under the lease: write a new generation beside the served one, prove link 4, flip, and sweep.

    If the served one is pinned, the new one is kept instead of flipped to.

    Raises:
        LeaseHeld: another run publishes now.
        LeaseLost: another run took over.
        SnapshotAhead, SnapshotOutdated: the snapshot's moment is not between the served one's and now.
        ShrinkRefused: the new figures are suspiciously small.
        ProofBroken: MongoDB says something else than the marts.
    """
    if run.target is None:
        raise RuntimeError("a run that was opened without a target cannot publish")
    with publish.hold_lease(run.target, run.run_id, run.settings.lease_duration) as lease:
        publish.heal_views(run.target)
        _guard(run, run.target)
        written = publish.write_generation(
            run.target,
            lease,
            marts=run.workspace.folder("marts"),
            rejected=run.workspace.folder("rejected"),
            record=run.record,
            insights=run.insights.values(),
            privacy=Privacy.of(run.settings),
            keep_rejected=run.settings.keep_rejected,
            on_rows=tally(run, "publish"),
        )
        _prove_written(run, run.target, lease, written)
        served, valid_for = publish.served(run.target), run.settings.valid_for
        if served is None or served.pinned is None or run.unpin:
            publish.flip(run.target, lease, written, run.record, valid_for=valid_for)
        else:
            pinned = served.generation
            publish.keep(run.target, lease, written, run.record, pinned=pinned, valid_for=valid_for)
            log.warning("pinned", run_id=run.run_id, kept=written.generation, served=pinned)
        try:
            publish.save_run(run.target, run.record)
            publish.keep_figures(run.target, keep_for=run.settings.keep_history)
            publish.sweep(run.target, lease, keep=run.settings.keep_generations)
        except PublishError as error:
            # The generation is served, and the next run does what is left undone.
            log.warning("sweep", run_id=run.run_id, error=str(error))
        # Last, because a generation that was unpinned has its figures in the history only now.
        _watch(run, run.target, served)
    return StageResult(rows_in=rows_in(run, "marts"), rows_out=written.documents)


def _watch(run: Run, target: publish.Target, served: publish.Served | None) -> None:
    """Record and log the watched figures. An error is only logged: watching withholds nothing.

    They are compared with nothing newer than what was served before: after a rollback, that is wrong.
    """

    def rows_of(insight: str) -> list[dict[str, Any]]:
        batches = read_batches(run.workspace.folder("marts/insights") / insight, None)
        return [row for batch in batches for row in batch.to_pylist()]

    def earlier(age: timedelta) -> Figures | None:
        moment = run.snapshot.as_of - age
        kept = publish.figures_before(target, run.run_id, min(moment, served.as_of) if served else moment)
        return Figures(kept["totals"], lambda id_: kept["insights"].get(id_, [])) if kept else None

    try:
        now = Figures(run.record.shop_figures(), rows_of)
        run.record.watched = list(watch(run.settings.watch, run.insights, now, earlier))
    except Exception as error:
        is_defect = not isinstance(error, ShopsightError)
        log.warning("watch", run_id=run.run_id, error=str(error), exc_info=is_defect)
    for figure in run.record.watched:
        if figure.alarm:
            log.warning("watch", run_id=run.run_id, alarm=figure.sentence)
        elif figure.value is None and figure.before is None:
            log.warning("watch", run_id=run.run_id, no_figure=figure.rule, remedy="Look at its key.")


def _guard(run: Run, target: publish.Target) -> None:
    as_of, figures = publish.baseline(target) or (None, None)
    guards.check_age(run.snapshot.as_of, as_of, target.clock(), allow_older=run.allow_older)
    if not run.allow_shrink:
        guards.check_shrink(guards.guarded_figures(run.record), figures, run.settings)


def _prove_written(
    run: Run, target: publish.Target, lease: publish.Lease, written: publish.WrittenGeneration
) -> None:
    marts = run.workspace.folder("marts")
    # `customer_metrics` is a view of `customers`; link 3 found that both marts agree.
    expected = {"customers": proof.mart_figures(marts / "customers")}
    expected |= {name: proof.mart_figures(marts / "insights" / name) for name in run.insights}
    # The digest covers a truncated insight; its sums are not those of the mart.
    expected |= {name: {"rows": rows} for name, rows in written.truncated.items()}
    expected["rejected_rows"] = proof.rejected_figures(run.record.ledger)
    run.record.figures = proof.with_digests(expected, written.digests)
    link = proof.prove_target(
        run.record.figures,
        lambda: proof.with_digests(publish.read_back(target, written), publish.read_digests(target, written)),
    )
    # If another run took the lease and removed these documents, report the lost lease, not a broken proof.
    lease.check()
    run.record.proof.append(link)
    proof.require(link)
