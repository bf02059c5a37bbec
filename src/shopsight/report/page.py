"""The page: one HTML file that needs nothing else, neither script nor network nor font.

The page's own Content-Security-Policy forbids scripts and requests, so that even a name which slipped through
the escaping could neither run nor call home.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shopsight.errors import WorkspaceError
from shopsight.report import run_view
from shopsight.report.figures import format_count, format_day, format_moment, in_utc
from shopsight.report.insight_table import InsightTable
from shopsight.report.insight_views import VIEWS, insight_view
from shopsight.report.view import table_view

if TYPE_CHECKING:
    from jinja2 import Environment

_PLACES = {id_: place for place, id_ in enumerate(VIEWS)}
#: What a document lacks when its run is gone from the history: insights can be shown without it.
_NOTHING_KNOWN: dict[str, Any] = {
    "run_id": "unknown",
    "status": "unknown",
    "started_at": None,
    "ended_at": None,
    "seconds": None,
    "snapshot": None,
    "generation": None,
    "valid_until": None,
    "stages": [],
    "ledger": {"tables": [], "rules": []},
    "proof": [],
    "totals": {},
    "versions": {},
    "error": None,
}
_LINK_NAME = re.compile(r"^(?P<number>\d+)\s*\((?P<name>.*)\)$")


def render_report(record: Mapping[str, Any], insights: Mapping[str, InsightTable]) -> str:
    """The report of one run, as HTML.

    A pure function: the same run gives the same page, byte for byte. Every text is escaped. Figures are as
    in :mod:`shopsight.report.figures`; null is an en dash. Insights without rows, and a record without ledger
    or proof (a failed run, a rollback), have a sentence in place of their chart.

    Args:
        record: the run's document, as :meth:`shopsight.record.RunRecord.as_document` gives it.
        insights: the published insights by id. Those with a view come in the order of
            :data:`shopsight.report.insight_views.VIEWS`, the others after them as given.
    """
    document = {**_NOTHING_KNOWN, **record}
    day = _day_of(document)
    sections = [
        {"table": table, "view": insight_view(table, day), "rows": table_view(table)}
        for table in sorted(insights.values(), key=lambda table: _PLACES.get(table.id, len(_PLACES)))
    ]
    links = run_view.links(document)
    return (
        _templates()
        .get_template("page.html")
        .render(
            style=resources.files("shopsight.report").joinpath("report.css").read_text("utf-8"),
            record=document,
            day=None if day is None else format_day(day),
            as_of=format_moment((document["snapshot"] or {}).get("as_of")),
            valid_until=format_moment(document["valid_until"]),
            tiles=run_view.tiles(document),
            sections=sections,
            ledger=run_view.ledger_rows(document),
            measures=run_view.measure_rows(document),
            rules=run_view.rules_by_table(document),
            links=links,
            equalities=sum(len(link.checks) for link in links),
            is_proven=bool(links) and all(link.holds for link in links),
            stages=run_view.stage_rows(document),
            facts=run_view.run_facts(document),
            source=run_view.source_facts(document),
            versions=sorted(document["versions"].items()),
            summary=_summary(document),
        )
    )


def _day_of(document: dict[str, Any]) -> date | None:
    snapshot = document["snapshot"]
    return None if snapshot is None else in_utc(snapshot["as_of"]).date()


def _summary(document: dict[str, Any]) -> dict[str, str]:
    """How many rows were read, kept, merged and rejected in all."""
    tables = document["ledger"]["tables"]
    return {
        name: format_count(sum(t[name] for t in tables))
        for name in ("rows_in", "rows_out", "merged", "rejected")
    }


def _link_parts(name: str) -> tuple[str, str]:
    """A link's number and name: ``1 (source = raw)`` gives ``("1", "source = raw")``."""
    match = _LINK_NAME.match(name)
    return (match["number"], match["name"]) if match else ("", name)


def _templates() -> Environment:
    # Here, for the tables on the terminal share this package and need no templates.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=PackageLoader("shopsight.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link_parts"] = _link_parts
    return environment


def write_report(html: str, path: Path) -> None:
    """Write the page so that whoever opens it sees the old one or the new one, whole.

    Missing folders above it are made.

    Raises:
        WorkspaceError: it cannot be written there; an older report is then still as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("w", encoding="utf-8") as stream:
                stream.write(html)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"The report cannot be written to {path}: {error.strerror or error}."
            " What is published is not touched by this.",
            remedy="Name another file with `shopsight report -o FILE`, in a folder that you may write to.",
        ) from error
