"""Guards against publishing: too many rejections, too large a drop, or an outdated snapshot.

An empty but "successful" answer of a source must not wipe what readers see.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shopsight.audit.parquet import read_batches
from shopsight.contract import TABLES
from shopsight.errors import DataQualityError, ShrinkRefused, SnapshotAhead, SnapshotOutdated
from shopsight.record import Figure, RunRecord
from shopsight.settings import Settings

#: How far the easternmost clocks are ahead of UTC.
FURTHEST_EAST = timedelta(hours=14)
#: How far the source's clock may be ahead of MongoDB's.
CLOCK_TOLERANCE = timedelta(minutes=5)


def check_rejected_share(
    rows_in: Mapping[str, int], rejected: Mapping[str, int], settings: Settings, folder: Path
) -> None:
    """Stop the run if a table exceeds its rejection limit.

    Args:
        rows_in: by table, the rows that entered.
        rejected: by table, the rows set aside.
        settings: ``max_rejected_share``, and ``min_rejected_rows`` below which no share matters.
        folder: where the rejected rows lie, for the message.

    Raises:
        DataQualityError: naming the first table beyond the limit.
    """
    for table, count in rejected.items():
        share = count / rows_in[table] if rows_in[table] else 0.0
        if count > settings.min_rejected_rows and share > settings.max_rejected_share:
            raise DataQualityError(
                f"{table}: {count:,} of {rows_in[table]:,} rows ({share:.0%}) were rejected; at most"
                f" {settings.max_rejected_share:.0%} are allowed.",
                remedy=f"Look at the rows and their rules in {folder / table}; if they are right, raise"
                " SHOPSIGHT_MAX_REJECTED_SHARE.",
            )


def check_age(
    as_of: datetime, served_as_of: datetime | None, now: datetime, *, allow_older: bool = False
) -> None:
    """Refuse a snapshot from the future, and one that is older than the served one.

    Args:
        as_of: the moment of this run's snapshot, by the source's clock.
        served_as_of: that of the served generation; None when nothing is served yet.
        now: MongoDB's clock.
        allow_older: publish the snapshot even if a younger one is served.

    Raises:
        SnapshotAhead: the snapshot is ahead of MongoDB's clock by more than :data:`CLOCK_TOLERANCE`.
        SnapshotOutdated: the served one is younger, as when an old run is resumed after a newer one.
    """
    if as_of > now + CLOCK_TOLERANCE:
        raise SnapshotAhead(
            f"This run's snapshot is of {as_of:%Y-%m-%d %H:%M:%S} UTC by the source's clock, but MongoDB's"
            f" clock says {now:%Y-%m-%d %H:%M:%S} UTC. If published, it would block all later snapshots until"
            " that time.",
            remedy="Correct the clock that is wrong, then start a new run with `shopsight run`.",
        )
    if served_as_of is not None and served_as_of > as_of and not allow_older:
        raise SnapshotOutdated(
            f"This run's snapshot is of {as_of:%Y-%m-%d %H:%M:%S} UTC, but one of"
            f" {served_as_of:%Y-%m-%d %H:%M:%S} UTC is served already.",
            remedy="Start a new run with `shopsight run`. If a wrong clock dated what is served, publish with"
            " `shopsight run --allow-older`.",
        )


def orders_ahead_of_utc(rejected: Path, as_of: datetime) -> int:
    """How many orders were rejected for UTC's tomorrow, which may be today in a shop east of Greenwich.

    Args:
        rejected: the folder of rejected orders.
        as_of: the moment of the snapshot.
    """
    tomorrow = as_of.date() + timedelta(days=1)
    if (as_of + FURTHEST_EAST).date() < tomorrow:
        return 0
    found = 0
    for batch in read_batches(rejected, ["rule", "order_date"]):
        is_future = pc.equal(batch["rule"], "orders.date_in_future")
        is_tomorrow = pc.starts_with(batch["order_date"].cast(pa.string()), tomorrow.isoformat())
        found += pc.sum(pc.and_(is_future, is_tomorrow)).as_py() or 0
    return found


def guarded_figures(record: RunRecord) -> dict[str, Figure]:
    """What the shrink guard compares: the clean rows of each table, and the revenue."""
    figures: dict[str, Figure] = {table.table: table.rows_out for table in record.ledger.tables}
    return {**figures, "revenue": record.totals["revenue"]}


def check_shrink(now: Mapping[str, Figure], served: Mapping[str, Figure] | None, settings: Settings) -> None:
    """Refuse figures that fell by more than a set share *and* a set number.

    Args:
        now: this run's figures, as :func:`guarded_figures` gives them.
        served: the same of the served generation; None when nothing is served yet.
        settings: ``shrink_max_share``, ``shrink_min_rows``, ``shrink_min_revenue``.

    Raises:
        ShrinkRefused: naming every figure that fell too far.
    """
    fallen = []
    for name, before in (served or {}).items():
        after = now.get(name)
        if before is None or after is None:
            continue
        fall = Decimal(before) - Decimal(after)
        least = settings.shrink_min_rows if name in TABLES else settings.shrink_min_revenue
        if fall > least and fall > Decimal(str(settings.shrink_max_share)) * Decimal(before):
            # There is no share of a revenue of zero or less.
            share = f" (-{fall / Decimal(before):.0%})" if Decimal(before) > 0 else ""
            fallen.append(f"{name} from {before:,} to {after:,}{share}")
    if fallen:
        raise ShrinkRefused(
            f"The shop shrank: {'; '.join(fallen)}. More than {settings.shrink_max_share:.0%} is withheld.",
            remedy="Look at the source; if the fall is real, publish it with"
            " `shopsight run --resume --allow-shrink`.",
        )
