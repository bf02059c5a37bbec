"""The six stages as functions of an opened run; each does its work once and finds it whole the next time.

A stage is kept when its manifest is whole and it was made from the very manifest of the stage before, by this
version, under the settings that matter to it. So a stage that is done again makes all later ones stale, and a
resumed run never mixes two snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from shopsight import __version__, publish
from shopsight.audit import guards, proof
from shopsight.audit.customer_checks import customer_checks
from shopsight.audit.ledger import build_ledger, read_totals
from shopsight.audit.parquet import count_rows
from shopsight.audit.shop_files import ShopFiles
from shopsight.clean import RULES, CleaningPolicy, clean_shop
from shopsight.contract import ORDERS, TABLES
from shopsight.engine.key_ranges import key_ranges
from shopsight.engine.opening import open_engine
from shopsight.engine.protocol import Engine
from shopsight.errors import ConfigurationError, ShopsightError
from shopsight.errors.redaction import redact
from shopsight.extract import extract as extract_source
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.customers import customers
from shopsight.marts.insights import InsightOptions, Shop, compute_insights
from shopsight.pipeline.current_run import Run, StageResult, table_rows, tally
from shopsight.pipeline.databases import open_source
from shopsight.pipeline.own_insights import blame
from shopsight.pipeline.publishing import publish_generation
from shopsight.pipeline.workspace import Stage, file_hash
from shopsight.record import Snapshot
from shopsight.settings import Settings
from shopsight.settings.table_mapping import UNMAPPED

log = structlog.stdlib.get_logger("shopsight")


def extract(run: Run) -> StageResult:
    """Read the six tables in one snapshot into ``raw``.

    Raises:
        ConfigurationError: the resumed run has a snapshot of another database.
        LeaseHeld: another run publishes now, so this one would work for nothing.
    """
    settings = run.settings
    source = {
        "url": redact(settings.source_url.get_secret_value()),
        "schema": settings.source_schema,
        "tables": settings.shown("tables"),
        "time_zone": settings.shop_time_zone,
    }

    def work() -> dict[str, Any]:
        if run.target is not None:
            publish.refuse_if_held(run.target, run.run_id)
        with open_source(settings) as shop:
            snapshot = extract_source(
                shop,
                run.workspace.folder("raw"),
                connections=settings.extract_connections,
                batch_rows=settings.batch_rows,
                on_rows=tally(run, "extract"),
            )
        return {"snapshot": snapshot.as_details(), "source": source}

    details, is_kept, seconds = _once(run.workspace.raw, None, {}, work)
    if details["source"] != source:
        raise ConfigurationError(
            f"Run {run.run_id} has a snapshot of {_named(details['source'])}, and the settings name"
            f" {_named(source)}. Nothing was changed.",
            remedy="Give the same --source, --source-schema, tables and time zone, or start a new run without"
            " --resume.",
        )
    run.record.snapshot = Snapshot.from_details(details["snapshot"])
    rows = sum(table.rows for table in run.snapshot.tables.values())
    return StageResult(rows, table_rows(run, "raw"), None, is_kept, seconds)


def clean(run: Run) -> StageResult:
    """Apply the rules to ``raw``: what is kept to ``clean``, what is not to ``rejected``.

    Raises:
        DataQualityError: a table exceeds its rejection limit, or orders have several currencies.
    """
    settings, folder = run.settings, run.workspace.folder
    policy = cleaning_policy(settings, run.snapshot)
    inputs = {
        "today": policy.today.isoformat(),
        "excluded_order_statuses": sorted(policy.excluded_order_statuses),
        "negative_amounts": policy.negative_amounts,
        "currency": policy.currency,
    }

    def work() -> dict[str, Any]:
        with open_engine(settings, folder("scratch")) as engine:
            clean_shop(
                engine,
                folder("raw"),
                folder("clean"),
                folder("rejected"),
                policy,
                on_table=lambda table: run.progress("clean", table, count_rows(folder("raw") / table)),
            )
            return {"engine": dict(engine.versions)}

    details, is_kept, seconds = _once(run.workspace.clean, run.workspace.raw, inputs, work)
    run.record.versions |= details["engine"]
    rejected = {table: count_rows(folder("rejected") / table) for table in TABLES}
    entered = {table: count_rows(folder("raw") / table) for table in TABLES}
    if settings.time_zone is None:
        _warn_of_early_orders(run)
    guards.check_rejected_share(entered, rejected, settings, folder("rejected"))
    return StageResult(
        sum(entered.values()), table_rows(run, "clean"), sum(rejected.values()), is_kept, seconds
    )


def cleaning_policy(settings: Settings, snapshot: Snapshot) -> CleaningPolicy:
    """What cleaning has to know of the settings and the snapshot."""
    return CleaningPolicy(
        today=snapshot.today,
        excluded_order_statuses=settings.excluded_order_statuses,
        negative_amounts=settings.negative_amounts,
        time_zone=snapshot.time_zone,
        currency=settings.tables.get(ORDERS.name, UNMAPPED).currency,
    )


def _warn_of_early_orders(run: Run) -> None:
    early = guards.orders_ahead_of_utc(run.workspace.folder("rejected") / "orders", run.snapshot.as_of)
    if early:
        warning = f"{early:,} orders dated tomorrow (UTC) were rejected; in the shop that day may have begun"
        log.warning("time_zone", run_id=run.run_id, warning=warning, remedy="Set time_zone.")


def metrics(run: Run) -> StageResult:
    """Work out one row per customer from ``clean``."""
    clean_folder, target = run.workspace.folder("clean"), run.workspace.folder("marts/customer_metrics")

    def work() -> dict[str, Any]:
        names = ("customers", "orders", "order_units", "reviews")
        with open_engine(run.settings, run.workspace.folder("scratch")) as engine:
            tables = [engine.scan(clean_folder / name) for name in names]
            for part, keys in enumerate(key_ranges(tables[0], "customer_id")):
                frame = customer_metrics(*map(keys.filter, tables))
                # In the order of the key, so that generations can be compared by merging.
                engine.sink({target: frame.sort("customer_id")}, part)
            return {"engine": dict(engine.versions)}

    details, is_kept, seconds = _once(run.workspace.metrics, run.workspace.clean, {}, work)
    run.record.versions |= details["engine"]
    return StageResult(table_rows(run, "clean"), count_rows(target), None, is_kept, seconds)


def insights(run: Run) -> StageResult:
    """Work out the insights, and what is published of each customer, from ``clean`` and the metrics.

    Raises:
        ConfigurationError: one of the user's own cannot be computed.
    """
    settings = run.settings
    options = InsightOptions(
        top_n=settings.top_n, basket_pairs_n=settings.basket_pairs_n, as_of=run.snapshot.today
    )
    folder, of_customers = run.workspace.folder("marts/insights"), run.workspace.folder("marts/customers")

    @contextmanager
    def opened() -> Iterator[tuple[Engine, Shop]]:
        with open_engine(settings, run.workspace.folder("scratch")) as engine:
            clean, marts = run.workspace.folder("clean"), run.workspace.folder("marts")
            tables = {name: engine.scan(clean / name) for name in (*TABLES, "order_units")}
            yield engine, Shop(**tables, customer_metrics=engine.scan(marts / "customer_metrics"))

    def work() -> dict[str, Any]:
        try:
            with opened() as (engine, shop):
                frames = compute_insights(shop, options, run.insights)
                engine.sink({folder / name: frame for name, frame in frames.items()})
                for part, keys in enumerate(shop.customer_ranges):
                    some = customers(shop, options.as_of, keys)
                    engine.sink({of_customers: some.sort("customer_id")}, part)
                return {"engine": dict(engine.versions)}
        except ShopsightError:
            raise  # a full disk or a lost engine is no insight's fault
        except Exception:
            with opened() as (_, shop):
                blame(run.own_insights, shop, options)
            raise

    inputs = {
        "top_n": options.top_n,
        "basket_pairs_n": options.basket_pairs_n,
        "as_of": str(options.as_of),
        "own": {own.insight.id: [own.sha256, dict(own.insight.options)] for own in run.own_insights},
    }
    details, is_kept, seconds = _once(run.workspace.insights, run.workspace.metrics, inputs, work)
    run.record.versions |= details["engine"]
    rows_out = sum(count_rows(folder / name) for name in run.insights)
    return StageResult(table_rows(run, "clean"), rows_out, None, is_kept, seconds)


def prove(run: Run) -> StageResult:
    """Write the ledger and prove links 1 to 3, always again, because files may have changed since.

    Raises:
        ProofBroken: two figures that must be equal are not.
    """
    folder, record = run.workspace.folder, run.record
    sentences = {rule.id: (str(rule.action), rule.sentence) for rule in RULES.values()}
    totals = read_totals(
        run.workspace.root, is_ascii=not run.snapshot.is_utf8, time_zone=run.snapshot.time_zone
    )
    record.ledger = build_ledger(run.workspace.root, sentences, totals)
    record.proof = [proof.require(proof.prove_extraction(run.snapshot, totals))]
    record.proof.append(proof.require(proof.prove_cleaning(record.ledger, totals)))
    files = ShopFiles(folder("clean"), folder("marts"), tuple(run.insights.values()), run.settings)
    record.totals = proof.clean_totals(files)
    record.newest_order = proof.newest_order(files)
    checks = customer_checks(files, totals["customers"].clean, run.snapshot.today)
    record.proof.append(proof.require(proof.prove_marts(record.totals, files, checks)))
    return StageResult(rows_in=table_rows(run, "raw"), rows_out=table_rows(run, "clean"))


#: In the order in which they run.
STAGES: dict[str, Callable[[Run], StageResult]] = {
    "extract": extract,
    "clean": clean,
    "metrics": metrics,
    "insights": insights,
    "prove": prove,
    "publish": publish_generation,
}


def _named(source: dict[str, Any]) -> str:
    parts = ("url", "{}"), ("schema", "schema {}"), ("tables", "tables {}"), ("time_zone", "time zone {}")
    return ", ".join(words.format(source[name]) for name, words in parts if source.get(name))


def _once(
    stage: Stage, before: Stage | None, inputs: dict[str, Any], work: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any], bool, float | None]:
    """Do a stage's work unless it is whole and was made from the same inputs.

    Returns:
        The stage's details; whether it was kept; if so, the seconds that it took when it was done.
    """
    inputs = {
        **inputs,
        "version": __version__,
        "before": file_hash(before.manifest_path) if before is not None else None,
    }
    details = stage.details()
    if details is not None and details.get("inputs") == inputs:
        return details, True, details["seconds"]
    started = time.perf_counter()
    stage.begin()
    details = {**work(), "inputs": inputs, "seconds": round(time.perf_counter() - started, 3)}
    stage.close(details)
    return details, False, None
