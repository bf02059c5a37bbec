"""The page: one HTML file that needs nothing else, neither script nor network nor font.

The page's own Content-Security-Policy forbids scripts and requests: even a name that slipped through the
escaping could neither run nor send anything.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopsight.errors import WorkspaceError
from shopsight.errors.redaction import redact
from shopsight.record import RunRecord
from shopsight.report import run_tables
from shopsight.report.drawings import draw
from shopsight.report.formatting import (
    format_count,
    format_day,
    format_moment,
    format_seconds,
    format_share,
)
from shopsight.report.geometry import per_cent
from shopsight.report.report_table import ReportTable
from shopsight.report.tables import csv_link, table_of
from shopsight.report.trend import trend_of
from shopsight.time_zone import UTC_NAME, day_in, in_utc

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class ShopLabel:
    """The shop's name and the currency of its amounts; None if it is not set."""

    name: str | None = None
    currency: str | None = None


UNNAMED = ShopLabel()
#: Cells of a row that have their heading beside them on a narrow screen.
_MOST_LABELLED = 24


def render_report(
    record: Mapping[str, Any],
    insights: Mapping[str, ReportTable],
    pin: str | None = None,
    shop: ShopLabel = UNNAMED,
) -> str:
    """The report of one run, as HTML.

    A pure function: the same run gives the same page, byte for byte. Every text is escaped. A sentence
    replaces an insight without rows, and a ledger or proof that a failed run or a rollback lacks.

    Args:
        record: the run's document, as :meth:`shopsight.record.RunRecord.as_document` gives it; parts that it
            lacks are shown as unknown, because the run may be gone from the history.
        insights: the published insights by id, in the order in which they are shown.
        pin: a sentence about the pinned generation, if there is one.
        shop: its name and currency.
    """
    unknown = RunRecord("unknown", "run", "unknown", datetime.min.replace(tzinfo=UTC)).as_document()
    document = {**unknown, "started_at": None, **record}
    snapshot = document["snapshot"]
    day = None
    if snapshot is not None:
        day = day_in(in_utc(snapshot["as_of"]), snapshot.get("time_zone", UTC_NAME))
    tables = [table.annotated(day) for table in insights.values()]
    trend = trend_of(tables)
    newest_order = document.get("newest_order")
    links = run_tables.links(document)
    html = (
        _templates()
        .get_template("page.html")
        .render(
            most_cells=_MOST_LABELLED,
            style=resources.files("shopsight.report").joinpath("report.css").read_text("utf-8"),
            record=document,
            day=None if day is None else format_day(day),
            newest_order=None if newest_order is None else format_day(in_utc(newest_order)),
            shop=shop,
            pin=pin,
            watched=[watched for watched in run_tables.watched(document) if watched.alarm],
            trend=trend,
            tiles=run_tables.tiles(document, trend),
            sections=[(table, draw(table), table_of(table)) for table in tables],
            ledger=run_tables.ledger(document),
            amounts=run_tables.amounts(document),
            rules=run_tables.rules(document),
            links=links,
            compared=run_tables.compared,
            broken=run_tables.broken,
            is_proven=bool(links) and not any(link.broken for link in links),
            stages=run_tables.stages(document),
        )
    )
    # Indentation would be a tenth of the page.
    return "\n".join(line for line in map(str.strip, html.split("\n")) if line)


def _templates() -> Environment:
    # Imported here: the terminal's tables share this package and need no templates.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("shopsight.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        thousands=format_count,
        share=format_share,
        css_length=per_cent,
        csv=csv_link,
        as_style=_as_style,
        moment=format_moment,
        seconds=format_seconds,
        redacted=redact,
    )
    return environment


def _as_style(labels: Iterable[str]) -> str:
    """The headings of a row's cells as custom properties. A JSON string is a CSS string."""
    return "; ".join(
        f"--c{place}: {json.dumps(label, ensure_ascii=False)}"
        for place, label in enumerate(labels, 1)
        if label
    )


def write_report(html: str, path: Path) -> None:
    """Replace the page at once: a reader finds the old one or the new one, whole.

    Missing folders above it are made.

    Raises:
        WorkspaceError: it cannot be written there; an older report is then still as it was.
    """
    try:
        # A name that nobody can plant a link at.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("x", encoding="utf-8") as stream:
                stream.write(html)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"The report cannot be written to {path}: {getattr(error, 'strerror', None) or error}."
            " The published data are not affected.",
            remedy="Name another file with `shopsight report -o FILE`, in a folder that you may write to.",
        ) from error
