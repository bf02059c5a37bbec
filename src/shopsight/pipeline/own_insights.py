"""The user's own insights: loaded, checked and tried on an empty shop before a run reads anything.

They come from ``insights`` in the settings and from the entry point group ``shopsight.insights``, whose entry
points name a module with an ``INSIGHT``. docs/your-own-insight.md is the guide.
"""

from __future__ import annotations

import ast
import hashlib
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import narwhals as nw
import structlog

from shopsight.audit.identities import SHOP_TOTALS, Complete, Quotient, SumsTo
from shopsight.audit.insight_checks import described
from shopsight.audit.recounts import RECOUNTS, TOTALS
from shopsight.clean.orders import order_units, with_item_totals
from shopsight.contract import TABLES, Kind
from shopsight.engine.protocol import MONEY, Frame
from shopsight.errors import ConfigurationError
from shopsight.marts.customer_metrics import customer_metrics
from shopsight.marts.insights import INSIGHTS, Insight, InsightOptions, Shop, in_report_order
from shopsight.marts.insights.insight import DTYPES
from shopsight.publish.naming import VIEWS
from shopsight.record import OwnInsight
from shopsight.settings import Settings, warn_if_writable
from shopsight.settings.insight_files import OPTION_KINDS, is_option

GUIDE = "docs/your-own-insight.md has an example, and `shopsight insight new NAME` writes one."

#: An insight that imports one of these would not run on another engine, or reads what is not in the snapshot.
_NOT_PURE = {
    *("polars", "duckdb", "pyspark", "pandas", "pyarrow", "dask", "ibis", "modin", "pymongo", "bson"),
    *("psycopg", "pymysql", "sqlite3", "sqlalchemy", "adbc_driver_manager"),
    *("requests", "urllib", "socket", "subprocess"),
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Reserved: a setting's name, and those of the views, under which the proof keeps its figures.
_TAKEN = ("files", *VIEWS)
TAKEN = f"one of {', '.join(_TAKEN)}"
_TRIAL = InsightOptions(top_n=5, basket_pairs_n=20, as_of=date(2026, 1, 1))
_DTYPES = {Kind.MONEY: MONEY, Kind.DATE: nw.Date(), Kind.TEXT: nw.String()}

log = structlog.stdlib.get_logger("shopsight")


@dataclass(frozen=True)
class LoadedInsight:
    """An insight of the user's own and the file that it comes from.

    Attributes:
        insight: with its options set, and its description ending in what is proved of it.
        proved: the same sentences alone.
    """

    insight: Insight
    path: Path
    sha256: str
    proved: str

    def as_record(self) -> OwnInsight:
        """What a run's record states of it."""
        return OwnInsight(self.insight.id, self.path.name, self.sha256, self.proved)


def own_insights(settings: Settings) -> list[LoadedInsight]:
    """The user's own insights, checked.

    Raises:
        ConfigurationError: names the file, and the line where one can be told.
    """
    options = {name: given for name, given in settings.insights.items() if name != "files"}
    loaded = [_with_options(one, options.get(one.insight.id, {})) for one in _loaded(settings)]
    for id_ in options.keys() - {one.insight.id for one in loaded}:
        raise ConfigurationError(
            f"[insights.{id_}] in the settings sets options of an unknown own insight.",
            remedy=f"Your own are {', '.join(one.insight.id for one in loaded) or 'none'}.",
        )
    for one in loaded:
        _try_out(one)
    return loaded


def insights_of(own: Iterable[LoadedInsight]) -> dict[str, Insight]:
    """Built-in and these own insights by id, in report order."""
    return in_report_order([*INSIGHTS.values(), *(one.insight for one in own)])


def insights_in(settings: Settings, record: Mapping[str, Any]) -> dict[str, Insight]:
    """The insights of an earlier run: those built in, and own ones whose files are as they were then.

    Args:
        settings: own insights that cannot be loaded are only warned of.
        record: the run's document.
    """
    then = {own["id"]: own["sha256"] for own in record.get("own_insights") or ()}
    own: list[LoadedInsight] = []
    try:
        own = [one for one in own_insights(settings) if then.get(one.insight.id) == one.sha256]
    except ConfigurationError as error:
        log.warning("insights", error=error.message)
    return insights_of(own)


def is_id(name: object) -> bool:
    """Whether an insight of the user's own may have this id, if no other has it."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and name not in _TAKEN


def load_file(path: Path) -> Insight:
    """The insight of a file, checked as a run checks it.

    Raises:
        ConfigurationError: names file and line.
    """
    loaded = _load(path, path.read_bytes())
    _try_out(loaded)
    return loaded.insight


def example_shop(**tables: Iterable[Mapping[str, Any]]) -> Shop:
    """A shop of literal rows, for the tests of an insight: ``example_shop(orders=[{"order_id": 1, …}])``.

    A column that a row lacks is null; an order that does not say so is paid and counts. Amounts are Decimal.
    """
    frames: dict[str, Frame] = {}
    for name, table in TABLES.items():
        schema: dict[str, Any] = {c.name: _DTYPES.get(c.kind, nw.Int64()) for c in table.columns}
        usual: dict[str, Any] = {}
        if name == "orders":
            schema["is_counting"], usual = nw.Boolean(), {"status": "paid", "is_counting": True}
        rows = [{**dict.fromkeys(schema), **usual, **row} for row in tables.get(name, ())]
        frames[name] = nw.from_dicts(rows, schema, backend="polars").lazy()
    frames["order_units"] = order_units(with_item_totals(frames["orders"], frames["order_items"]))
    metrics = customer_metrics(*(frames[name] for name in ("customers", "orders", "order_units", "reviews")))
    return Shop(**frames, customer_metrics=metrics)


def rows_of(
    insight: Insight, shop: Shop, *, as_of: date = _TRIAL.as_of, **options: Any
) -> list[dict[str, Any]]:
    """The insight's rows in a shop on a day, with its own options or their defaults."""
    insight = replace(insight, options={**insight.options, **options})
    return list(insight.frame(shop, replace(_TRIAL, as_of=as_of)).collect().iter_rows(named=True))


def blame(insights: Iterable[LoadedInsight], shop: Shop, options: InsightOptions) -> None:
    """Name the own insight that cannot be computed; to be called when computing all of them failed.

    Raises:
        ConfigurationError: for the first that fails by itself, too.
    """
    for one in insights:
        try:
            one.insight.frame(shop, options).collect()
        except Exception as error:
            # The engine's message may quote the shop's rows.
            raise _failed(one, error, type(error).__name__) from error


def _loaded(settings: Settings) -> list[LoadedInsight]:
    loaded: dict[str, LoadedInsight] = {}
    for path, source in _sources(settings):
        one = _load(path, source)
        taken = "shopsight" if one.insight.id in INSIGHTS else None
        if one.insight.id in loaded:
            taken = str(loaded[one.insight.id].path)
        if taken:
            raise _wrong(path, _line(path), f"the id {one.insight.id!r} is taken by {taken}")
        loaded[one.insight.id] = one
    return list(loaded.values())


def _sources(settings: Settings) -> Iterator[tuple[Path, bytes]]:
    try:
        for path in _paths(settings):
            warn_if_writable(path)
            warn_if_writable(path.parent)
            yield path, path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The insights cannot be read: {error}.", remedy="Correct `insights`, or the file's permissions."
        ) from error


def _paths(settings: Settings) -> Iterator[Path]:
    """The files with insights; in a folder all but tests and those whose names begin with ``_``."""
    for given in map(Path, settings.insights.get("files", ())):
        if given.is_dir():
            found = [
                path for path in sorted(given.glob("*.py")) if not re.match("_|test_|conftest", path.name)
            ]
        else:
            found = [given] if given.is_file() else []
        if not found:
            raise ConfigurationError(
                f"There is no insight in {given}.", remedy=f"Correct `insights`. {GUIDE}"
            )
        yield from found
    for entry in entry_points(group="shopsight.insights"):
        spec = None
        with suppress(Exception):  # it imports the packages above the module, which may be gone
            spec = find_spec(entry.module)
        if spec is None or spec.origin is None:
            raise ConfigurationError(
                f"The entry point {entry.name!r} of shopsight.insights names {entry.module!r}, which is no"
                " module with a file.",
                remedy="Install the package that declares it again, or remove it.",
            )
        yield Path(spec.origin)


@lru_cache(maxsize=64)
def _load(path: Path, source: bytes) -> LoadedInsight:
    """Run a file of any name once, and check what can be checked without data."""
    module = ModuleType(f"shopsight_insight_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        tree = ast.parse(source, str(path))
        _refuse_engines(path, tree)
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102 - what the user asks for
        insight = _checked(path, getattr(module, "INSIGHT", None))
        proved = described(insight, [column.name for column in insight.columns])
    except ConfigurationError:
        raise
    except SyntaxError as error:
        raise _wrong(path, error.lineno or 1, f"{error.msg}") from error
    except Exception as error:
        raise _wrong(path, _line_in(path, error) or _line(path), _quoted(error)) from error
    insight = replace(insight, description=f"{insight.description} {proved}")
    return LoadedInsight(insight, path, hashlib.sha256(source).hexdigest(), proved)


def _checked(path: Path, insight: object) -> Insight:
    if not isinstance(insight, Insight):
        raise _wrong(path, _line(path), "there is no INSIGHT = Insight(…)")
    for fault in _faults(insight):
        raise _wrong(path, _line(path), fault)
    return insight


def _refuse_engines(path: Path, tree: ast.Module) -> None:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] in _NOT_PURE:
                what = f"it imports {name}, and an insight works on Narwhals frames alone"
                raise _wrong(path, node.lineno, what)  # type: ignore[attr-defined]


def _faults(insight: Insight) -> Iterator[str]:
    """What is wrong with its declaration, the most general first."""
    for name in ("columns", "key", "identities"):
        if not isinstance(getattr(insight, name), tuple | list):
            yield f"{name} is not a tuple; with one entry it ends in a comma: {name}=(…,)"
    names = [column.name for column in insight.columns]
    if not is_id(insight.id):
        yield f"the id {insight.id!r} is not made of small letters, digits and _, or is {TAKEN}"
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            yield f"the column {name!r} comes twice, or is not made of small letters, digits and _"
    for column in insight.columns:
        if column.kind not in DTYPES:
            yield f"{column.name} is of the kind {column.kind!r}; the kinds are {', '.join(DTYPES)}"
    for name in [name for name in insight.key if name not in names] or ([] if names else ["any column"]):
        yield f"the key {name!r} is not among its columns"
    for name, usual in insight.options.items():
        if not is_option(usual):
            yield f"the option {name} is {usual!r}, but options are {OPTION_KINDS}"
    yield from _identity_faults(insight, names)


def _identity_faults(insight: Insight, names: list[str]) -> Iterator[str]:
    for identity in insight.identities:
        total = identity.total if isinstance(identity, SumsTo | Quotient) else ""
        if total and total not in SHOP_TOTALS:
            yield f"the shop has no total {total!r}; its totals are {', '.join(SHOP_TOTALS)}"
        known = TOTALS if isinstance(identity, Complete) else RECOUNTS
        recount = getattr(identity, "recount", None)
        if recount is not None and recount not in known:
            yield f"the proof has no recount {recount!r}; it has {', '.join(known)}"
        column_of = [getattr(identity, name, "") for name in ("column", "part", "whole", "by")]
        for name in (*column_of, *getattr(identity, "columns", ())):
            if name and name not in names:
                yield f"an identity names {name!r}, which is not among its columns"


def _with_options(one: LoadedInsight, given: Mapping[str, Any]) -> LoadedInsight:
    options = dict(one.insight.options)
    for name, value in given.items():
        usual = options.get(name)
        # A whole number may be given for a float; true and false are no numbers.
        kinds = (int, float) if type(usual) is float else (type(usual),)
        if name not in options or type(value) not in kinds:
            wanted = (
                f"a value like {usual!r}" if name in options else f"one of {', '.join(options) or 'none'}"
            )
            raise ConfigurationError(
                f"[insights.{one.insight.id}] in the settings: {name} = {value!r} is not {wanted}.",
                remedy=f"Its options and their defaults are declared in {one.path}.",
            )
        options[name] = value
    return replace(one, insight=replace(one.insight, options=options))


def _try_out(one: LoadedInsight) -> None:
    """Compute it on an empty shop, with the types that a shop's tables have."""
    try:
        one.insight.frame(example_shop(), _TRIAL).collect()
    except Exception as error:
        raise _failed(one, error, _quoted(error)) from error


def _failed(one: LoadedInsight, error: Exception, what: str) -> ConfigurationError:
    """The error for an insight that cannot be computed, at its own last line, or at its function."""
    code = getattr(one.insight.compute, "__code__", None)
    line = _line_in(one.path, error) or (code.co_firstlineno if code else _line(one.path))
    return _wrong(one.path, line, f"it cannot be computed: {what}")


def _quoted(error: Exception) -> str:
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


def _line_in(path: Path, error: BaseException) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(path)), None)


def _line(path: Path) -> int:
    """The line of ``INSIGHT = …``; 1 if there is none."""
    lines = path.read_text("utf-8", "replace").splitlines()
    return next((at for at, line in enumerate(lines, 1) if re.match(r"INSIGHT\b", line)), 1)


def _wrong(path: Path, line: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"The insight in {path}, line {line}: {what}.", remedy=GUIDE)
