"""Checks in the source and in MongoDB whether the served data are still what was proven.

It compares three sides: what the source says now, what was recorded when the run was proven
(:mod:`shopsight.inspect.recorded`), and what MongoDB serves now. A source that differs from the record has
moved on, which is no failure. A served generation that differs from it was altered after it was published.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from shopsight import publish
from shopsight.audit.control_totals import compared_totals, from_document
from shopsight.audit.proof import CONTENT, with_digests
from shopsight.errors import ConfigurationError
from shopsight.extract import source_totals
from shopsight.inspect.compare import EXAMPLES, changed_leaves
from shopsight.inspect.recorded import Figures, Recorded, compared, flat
from shopsight.marts.insights import Insight
from shopsight.pipeline.databases import open_source, open_target
from shopsight.pipeline.own_insights import insights_in
from shopsight.pipeline.workspace import Workspace
from shopsight.publish import Difference, Served, Target
from shopsight.publish.naming import OF_CUSTOMERS
from shopsight.publish.privacy import Privacy
from shopsight.record import Check, Snapshot
from shopsight.settings import Settings


@dataclass(frozen=True)
class AlteredDocument:
    """A served document that is not as the run's files make it.

    Attributes:
        kind: ``altered``, ``removed`` or ``added``.
        fields: for an altered one, by the field's path, what was published and what is served.
    """

    collection: str
    id: Any
    kind: str
    fields: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Verification:
    """What differs, by side.

    Attributes:
        served: the served generation.
        source: the source's figures: in the snapshot (expected) and now (found).
        target: the served generation's figures: proven (expected) and served (found).
        documents: documents that differ from the run's own files, at most ten of each collection.
        has_files: whether the run's files are there and whole, so that documents could be named.
        forgotten: how many times `forget` blanked a person in a document, since it was proven.
        rejected_until: since when MongoDB removes the rejected rows; None if it does not yet, or never.
    """

    served: Served
    source: list[Check]
    target: list[Check]
    documents: list[AlteredDocument]
    has_files: bool
    forgotten: int = 0
    rejected_until: datetime | None = None

    @property
    def moved(self) -> list[Check]:
        """The source's figures that are not as in the snapshot."""
        return [check for check in self.source if not check.holds]

    @property
    def altered(self) -> list[Check]:
        """The served figures that are not as they were proven."""
        return [check for check in self.target if not check.holds]

    @property
    def is_intact(self) -> bool:
        """Whether the served generation is as it was proven."""
        return not self.altered and not self.documents

    @property
    def is_current(self) -> bool:
        """Whether the source's figures are as they were in the snapshot."""
        return not self.moved

    def as_document(self) -> dict[str, Any]:
        """The verification as plain values."""
        return {
            "generation": self.served.generation,
            "run_id": self.served.run_id,
            "as_of": self.served.as_of,
            "is_intact": self.is_intact,
            "is_current": self.is_current,
            "checked": {"source": len(self.source), "target": len(self.target)},
            "moved": [vars(check) for check in self.moved],
            "altered": [vars(check) for check in self.altered],
            "documents": [vars(document) for document in self.documents],
            "has_files": self.has_files,
            "forgotten": self.forgotten,
            "rejected_until": self.rejected_until,
        }


def verify(settings: Settings) -> Verification:
    """Query the source and MongoDB again, and compare both with the record of the served generation.

    Raises:
        ConfigurationError: nothing is published yet; or the settings are wrong.
        SourceError: the source cannot be asked.
        TargetUnavailable: MongoDB does not answer.
    """
    with open_target(settings) as target:
        served = publish.served(target)
        if served is None:
            raise ConfigurationError(
                f"Nothing is published in the database {settings.target_database!r} yet.",
                remedy="Start a run with `shopsight run`, or check that it publishes to this database.",
            )
        workspace = Workspace(settings.workdir, served.run_id)
        recorded = Recorded(
            served,
            workspace.read_record(),
            publish.find_run(target, served.run_id),
            publish.generation_note(target, served.generation),
            publish.forgotten_in(target, served.generation),
        )
        shown = publish.shown_collections(target)
        until = recorded.note.get("rejected_until")
        is_expired = until is not None and until <= target.clock()
        figures = recorded.figures()
        if is_expired:
            # MongoDB is removing them, so there is nothing that they must equal.
            figures = {what: f for what, f in figures.items() if not what.startswith("rejected_rows: ")}
        checks = [
            *recorded.checks(),
            *(Check(f"{view}: view of", name, shown.get(view)) for view, name in served.collections.items()),
            *(
                Check(f"{name}: view of insights", "unchanged", "altered" if is_altered else "unchanged")
                for name, is_altered in publish.altered_flat_views(
                    target, served.collections["insights"]
                ).items()
            ),
            *_metrics_view(target, served, figures),
            *compared(figures, _served_figures(target, served)),
        ]
        broken = [check.what for check in checks if not check.holds]
        suspicious = {what.partition(": ")[0] for what in broken if what.endswith(CONTENT)}
        forgotten = {entry.view for entry in recorded.forgotten}
        stages = (workspace.clean, workspace.metrics, workspace.insights)
        has_files = all(stage.details() is not None for stage in stages)
        privacy = Privacy.of(settings)
        views = (suspicious | forgotten) - ({"rejected_rows"} if is_expired else set())
        insights = insights_in(settings, recorded.record)
        # The digest covers the document of an own insight whose file is no longer as it was.
        unknown = {own["id"] for own in recorded.record.get("own_insights") or ()} - insights.keys()
        altered = (
            document
            for document in _altered_documents(
                target,
                recorded,
                workspace,
                views,
                insights.values(),
                privacy=privacy,
                forgotten=forgotten,
            )
            if document.collection != "insights" or document.id not in unknown
        )
        documents = list(altered) if has_files else []
    then = recorded.snapshot
    source = _source_checks(then, settings) if then else []
    blanked = sum(entry.documents for entry in recorded.forgotten)
    return Verification(served, source, checks, documents, has_files, blanked, until if is_expired else None)


def _source_checks(then: Snapshot, settings: Settings) -> list[Check]:
    """The source's address and control totals, as they were in the snapshot and as they are now.

    Moments become days in the snapshot's time zone, even if the settings name another one by now.
    """
    physical = {name: table.physical for name, table in then.tables.items()}
    with open_source(settings) as source:
        now = source_totals(replace(source, time_zone=then.time_zone), physical)
    checks = [Check("source: address", then.source, now.source)]
    for name, table in now.tables.items():
        checks += compared_totals(name, from_document(then.tables[name].totals), from_document(table.totals))
    return checks


def _metrics_view(target: Target, served: Served, figures: Figures) -> Iterator[Check]:
    """That ``customer_metrics`` shows the proven customers; an older version proved it as a collection."""
    if f"customer_metrics: {CONTENT}" not in figures:
        found = "unchanged" if publish.shows_its_customers(target, served) else "altered"
        yield Check(f"{served.collections['customer_metrics']}: view of customers", "unchanged", found)


def _served_figures(target: Target, served: Served) -> Figures:
    """The server's own aggregation and the digests, by what the proof's checks are called."""
    return flat(with_digests(publish.read_back(target, served), publish.read_digests(target, served)))


def _altered_documents(
    target: Target,
    recorded: Recorded,
    workspace: Workspace,
    views: Collection[str],
    insights: Iterable[Insight],
    *,
    privacy: Privacy,
    forgotten: Collection[str],
) -> Iterator[AlteredDocument]:
    """The documents that are not as the run's files make them, at most :data:`EXAMPLES` of each view."""
    marts, rejected = workspace.folder("marts"), workspace.folder("rejected")
    served = recorded.served
    documents = publish.run_documents(
        marts,
        rejected,
        insights,
        run_id=served.run_id,
        as_of=served.as_of,
        privacy=privacy,
        rejected_until=recorded.note.get("rejected_until"),
    )
    for view in (view for view in documents if view in views):
        differences = publish.differences_from(
            target, served.collections[view], documents[view], in_order=view in OF_CUSTOMERS
        )
        altered = (_altered(view, difference, is_forgetful=view in forgotten) for difference in differences)
        yield from islice(filter(None, altered), EXAMPLES)


def _altered(view: str, difference: Difference, *, is_forgetful: bool) -> AlteredDocument | None:
    """The document that differs; None if it differs only by values that ``forget`` may have blanked."""
    published, now = difference.right, difference.left
    if published is None or now is None:
        return AlteredDocument(view, difference.id, "added" if published is None else "removed", {})
    changes = [
        change for change in changed_leaves(published, now) if not (is_forgetful and change[1][1] is None)
    ]
    return AlteredDocument(view, difference.id, "altered", dict(changes[:EXAMPLES])) if changes else None
