"""A shop's marts and rejected rows as the stages before publishing leave them, small and literal."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.support.publish_content import read_documents

from shopsight import publish
from shopsight.audit.identities import Identity
from shopsight.contract import TABLES
from shopsight.publish.privacy import Privacy
from shopsight.record import Ledger, RunRecord, Snapshot, TableLedger

AS_OF = datetime(2026, 11, 22, 18, tzinfo=UTC)
VALID_FOR = timedelta(hours=6)
LEASE = timedelta(seconds=30)
MONEY = pa.decimal128(38, 2)

CUSTOMER_SCHEMA = pa.schema(
    [
        ("customer_id", pa.int64()),
        ("name", pa.string()),
        ("email", pa.string()),
        ("country", pa.string()),
        ("total_amount_spent", MONEY),
        ("total_orders", pa.int64()),
        ("average_order_value", MONEY),
        ("total_products_ordered", pa.int64()),
        ("average_rating", pa.float64()),
    ]
)
TOP_SCHEMA = pa.schema([("customer_id", pa.int64()), ("name", pa.string()), ("total_amount_spent", MONEY)])
MONTH_SCHEMA = pa.schema([("month", pa.date32()), ("revenue", MONEY), ("orders", pa.int64())])


@dataclass(frozen=True)
class Column:
    """A column of an insight."""

    name: str
    kind: str
    label: str


@dataclass(frozen=True)
class Insight:
    """What an insight says of itself."""

    id: str
    title: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()


INSIGHTS = (
    Insight(
        "top_customers",
        "Top customers",
        "The customers who spent most.",
        (
            Column("customer_id", "key", "Customer"),
            Column("name", "text", "Name"),
            Column("total_amount_spent", "money", "Spent"),
        ),
    ),
    Insight(
        "monthly_sales",
        "Sales by month",
        "Revenue and orders of each month.",
        (
            Column("month", "date", "Month"),
            Column("revenue", "money", "Revenue"),
            Column("orders", "count", "Orders"),
        ),
    ),
)


def customer(customer_id: int, spent: str = "30.00", orders: int = 3, **others: Any) -> dict[str, Any]:
    """A row of customer_metrics."""
    row = {
        "customer_id": customer_id,
        "name": f"Customer {customer_id}",
        "email": f"c{customer_id}@example.com",
        "country": "Germany",
        "total_amount_spent": Decimal(spent),
        "total_orders": orders,
        "average_order_value": Decimal("10.00"),
        "total_products_ordered": 2 * orders,
        "average_rating": 4.5,
    }
    return {**row, **others}


@dataclass(frozen=True)
class ShopFolders:
    """Where a shop's files lie."""

    root: Path

    @property
    def marts(self) -> Path:
        return self.root / "marts"

    @property
    def rejected(self) -> Path:
        return self.root / "rejected"


def write_shop(
    root: Path,
    customers: Sequence[Mapping[str, Any]] = (),
    *,
    months: Sequence[Mapping[str, Any]] = (
        {"month": date(2026, 10, 1), "revenue": Decimal("60.00"), "orders": 6},
    ),
    rejected: Mapping[str, pa.Table] | None = None,
) -> ShopFolders:
    """Write the files of a shop; tables without rejected rows have empty ones."""
    shop = ShopFolders(root)
    top = sorted(customers, key=lambda row: (-row["total_amount_spent"], row["customer_id"]))[:5]
    names = TOP_SCHEMA.names
    write_table(shop.marts / "customer_metrics", pa.Table.from_pylist(list(customers), CUSTOMER_SCHEMA))
    write_table(shop.marts / "customers", everything(customers))
    write_table(
        shop.marts / "insights" / "top_customers",
        pa.Table.from_pylist([{name: row[name] for name in names} for row in top], TOP_SCHEMA),
    )
    write_table(
        shop.marts / "insights" / "monthly_sales",
        pa.Table.from_pylist([dict(m) for m in months], MONTH_SCHEMA),
    )
    for name in TABLES:
        write_table(shop.rejected / name, (rejected or {}).get(name, no_rejected_rows(name)))
    return shop


def everything(customers: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The rows of customer_metrics with dates, scores, segment and cohort, the same for all."""
    day = date(2026, 10, 7)
    beside = {
        **{"first_order_date": day, "last_order_date": day, "days_since_last_order": 3, "recency_score": 1},
        **{
            "frequency_score": 2,
            "monetary_score": 3,
            "segment": "At risk",
            "cohort_month": date(2026, 10, 1),
        },
    }
    types = {date: pa.date32(), int: pa.int64(), str: pa.string()}
    columns = [*CUSTOMER_SCHEMA, *((name, types[type(value)]) for name, value in beside.items())]
    return pa.Table.from_pylist([{**row, **beside} for row in customers], pa.schema(columns))


def write_table(folder: Path, table: pa.Table) -> None:
    """One Parquet file in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "part-00000.parquet", compression="lz4")


def rejected_rows(table: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rejected rows as cleaning leaves them when all columns of the source are text."""
    schema = no_rejected_rows(table).schema
    return pa.Table.from_pylist([dict(row) for row in rows], schema)


def no_rejected_rows(table: str) -> pa.Table:
    """The empty table of a table's rejected rows."""
    columns = [(name, pa.string()) for name in TABLES[table].column_names]
    return pa.schema([*columns, ("rule", pa.string()), ("measure", MONEY)]).empty_table()


def record_of(run_id: str, *, as_of: datetime = AS_OF, revenue: str = "60.00") -> RunRecord:
    """The record of a run whose earlier stages are done."""
    snapshot = Snapshot("00000003-1", as_of, "postgresql://db/shop", "postgresql", "18.4", None, {})
    ledger = Ledger([TableLedger("customers", 2, 2, 0, 0), TableLedger("orders", 6, 6, 0, 0)])
    return RunRecord(
        run_id,
        "run",
        "running",
        as_of,
        snapshot=snapshot,
        ledger=ledger,
        totals={"revenue": Decimal(revenue)},
    )


@dataclass
class Publisher:
    """Publishes shops to one database, as the pipeline does, one run each."""

    target: publish.Target
    runs: int = field(default=0)

    def new_run_id(self) -> str:
        """A run id that sorts after the earlier ones."""
        self.runs += 1
        return f"20261122T18{self.runs // 60:02}{self.runs % 60:02}Z-{secrets.token_hex(3)}"

    def write(self, lease: publish.Lease, shop: ShopFolders, record: RunRecord) -> publish.WrittenGeneration:
        """A generation, not served yet."""
        return publish.write_generation(
            self.target,
            lease,
            marts=shop.marts,
            rejected=shop.rejected,
            record=record,
            insights=INSIGHTS,
            privacy=Privacy(),
        )

    def publish(self, shop: ShopFolders, *, keep: int | None = None, as_of: datetime = AS_OF) -> RunRecord:
        """A run from the lease to the flip, and the sweep if ``keep`` is given."""
        record = record_of(self.new_run_id(), as_of=as_of)
        with publish.hold_lease(self.target, record.run_id, LEASE) as lease:
            written = self.write(lease, shop, record)
            publish.flip(self.target, lease, written, record, valid_for=VALID_FOR)
            if keep is not None:
                publish.sweep(self.target, lease, keep=keep)
        record.status = "succeeded"
        publish.save_run(self.target, record)
        return record

    def view(self, name: str) -> list[dict[str, Any]]:
        """What readers see under a name, in the order of ``_id``."""
        return list(read_documents(self.target, name))


@contextmanager
def opened_publisher(
    url: str, database: str, timeout: timedelta = timedelta(seconds=5)
) -> Iterator[Publisher]:
    """A publisher to a database."""
    with publish.connect(url, database, timeout) as target:
        yield Publisher(target)
