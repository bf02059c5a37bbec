"""What the tests of all dialects look at after an extraction."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from shopsight.audit.control_totals import compared_totals, from_document, totals_as_read, totals_as_sent
from shopsight.audit.parquet import count_rows
from shopsight.contract import TABLES
from shopsight.record import Snapshot


def assert_proven(snapshot: Snapshot, folder: Path) -> None:
    """What the database said of its tables is what the raw files hold, to every value."""
    for name, told in snapshot.tables.items():
        assert count_rows(folder / name) == told.rows, name
        found = totals_as_sent(folder / name, TABLES[name], is_ascii=not snapshot.is_utf8)
        checks = compared_totals(name, from_document(told.totals), found)
        assert [check for check in checks if not check.holds] == []


def raw_measure(folder: Path, table: str) -> Decimal | None:
    """The measure of a table's raw files; None for a table without one."""
    if TABLES[table].measure is None:
        return None
    units = totals_as_read(folder / table, TABLES[table])["", "measure"]
    return Decimal(units) if table == "reviews" else Decimal(units).scaleb(-2)
