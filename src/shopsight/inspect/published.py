"""The served generation, as commands and the report show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from shopsight.errors import ShopsightError
from shopsight.pipeline.databases import open_target
from shopsight.pipeline.own_insights import insights_in
from shopsight.publish import find_run, pin_note, plain
from shopsight.reader import open_generation
from shopsight.report import ReportTable, ShopLabel, render_report, write_report
from shopsight.settings import Settings

log = structlog.stdlib.get_logger("shopsight")


@dataclass(frozen=True)
class Published:
    """The served generation: its insights in report order and the run that made it."""

    generation: int
    run_id: str
    as_of: datetime
    insights: dict[str, ReportTable]
    record: dict[str, Any]
    pin: str | None
    shop: ShopLabel

    def write_report(self, path: Path) -> None:
        """Write the HTML page."""
        write_report(render_report(self.record, self.insights, self.pin, self.shop), path)


def read_published(settings: Settings) -> Published:
    """The served generation, all of it from one run.

    Raises:
        ConfigurationError: nothing is published yet.
    """
    with open_target(settings) as target:
        generation = open_generation(target.db)
        documents = {document["_id"]: plain(document) for document in generation.insights.find()}
        record, pin = find_run(target, generation.run_id) or {}, pin_note(target)
    insights = insights_in(settings, record)
    in_order = [*(name for name in insights if name in documents), *(documents.keys() - insights.keys())]
    tables = {name: ReportTable.from_document(documents[name], insights.get(name)) for name in in_order}
    shop = ShopLabel(settings.shop_name, settings.currency)
    return Published(generation.number, generation.run_id, generation.as_of, tables, record, pin, shop)


def renew_report(settings: Settings) -> None:
    """Write the served generation's report to ``report_path``, if it is set. A failure is only logged."""
    if settings.report_path is None:
        return
    try:
        read_published(settings).write_report(settings.report_path)
    except Exception as error:
        is_defect = not isinstance(error, ShopsightError)
        log.warning("report", path=str(settings.report_path), error=str(error), exc_info=is_defect)
