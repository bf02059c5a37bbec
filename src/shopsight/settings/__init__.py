"""Settings: ``shopsight.toml`` < ``SHOPSIGHT_*`` environment < command line. Opens no connection."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import structlog
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from shopsight.contract import ORDERS, STATUS_SPELLINGS
from shopsight.errors import ConfigurationError, did_you_mean
from shopsight.settings.duration import Duration
from shopsight.settings.insight_files import read_insights
from shopsight.settings.presets import load_preset, with_preset
from shopsight.settings.shown import shown_value
from shopsight.settings.table_mapping import (
    UNMAPPED,
    Currency,
    TableMapping,
    check_names,
    with_addresses,
    without_addresses,
)
from shopsight.settings.watch_rule import WatchRule
from shopsight.time_zone import UTC_NAME, check_zone

#: The address of the demo's own servers, which run under the working directory.
EMBEDDED = "embedded"

_PREFIX = "SHOPSIGHT_"
_NESTED = "__"
_FILE = "shopsight.toml"
_SECTIONS = ("privacy", "shop")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_SPARK_URL = re.compile(r"sc://\S+|spark://\S+:\d+|local(?:\[(?:\*|[1-9]\d*)\])?")
# Between :// and the query a URL has at most one @, unless its password is not percent-encoded.
_RAW_USER_INFO = re.compile(
    r"(?:postgres(?:ql)?|mongodb(?:\+srv)?)://(?:[^@?]*@[^@?]*@|[^/?#@]*/[^@?]*@|[^/?#@]*[?#][^@=]*@)"
    r"|(?:mysql|mariadb)://[^/?#@]*\?[^@=]*@"
)


def _read_list(value: Any) -> Any:
    """``a, b`` and ``["a", "b"]`` from the environment, as a list; nothing is the empty list."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else value.split(",")


class _FileSource(TomlConfigSettingsSource):
    """``shopsight.toml``; ``email`` under ``[privacy]`` is ``privacy_email``, and so for ``[shop]``."""

    def __call__(self) -> dict[str, Any]:
        given = super().__call__()
        for section in _SECTIONS:
            if isinstance(given.get(section), dict):
                values = given.pop(section)
                given |= {f"{section}_{name}": value for name, value in values.items()}
        return given


class Settings(BaseSettings):
    """Every setting, its default and its meaning; a test compares ``docs/settings.md`` with this class."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_NESTED,
        toml_file=_FILE,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    source_url: SecretStr = Field(
        SecretStr(EMBEDDED),
        description="The shop's database: postgresql://…, mysql://…, sqlite:///path, or `embedded`.",
    )
    source_schema: str | None = Field(
        None, description="The schema that holds the six tables; by default the connection's own search path."
    )
    preset: str | None = Field(
        None,
        description="Settings for known shop software: `magento`, `odoo`, `prestashop`, `spree` or"
        " `woocommerce`. Your own override them.",
    )
    table_prefix: str | None = Field(
        None, description="What the names of the preset's tables begin with, if it is not the usual prefix."
    )
    guests: Literal["reject", "by_email"] = Field(
        "reject",
        description="Orders without a known customer are rejected, or go by their e-mail address: see"
        " docs/connect-your-shop.md.",
    )
    tables: dict[str, TableMapping] = Field(
        {},
        description="Where the six tables are, if they have other names: see docs/connect-your-shop.md.",
    )
    time_zone: Annotated[str, AfterValidator(check_zone)] | None = Field(
        None,
        description="The shop's time zone, an IANA name such as `Asia/Kolkata`; UTC if it is not set. It"
        " decides on which day an order was placed, and which day is today.",
    )
    shop_name: str | None = Field(
        None, description="The shop's name, as the report shows it.", min_length=1, max_length=200
    )
    shop_currency: Currency | None = Field(
        None,
        description="The currency of all amounts, such as `EUR`, as the report shows it; by default the"
        " `currency` of `[tables.orders]`.",
    )

    target_url: SecretStr = Field(SecretStr(EMBEDDED), description="MongoDB: mongodb://…, or `embedded`.")
    target_database: str = Field("shopsight", description="The MongoDB database to publish to.", min_length=1)
    workdir: Path = Field(Path(".shopsight"), description="Where runs and embedded servers keep their files.")
    engine: Literal["polars", "spark"] = Field(
        "polars", description="What cleans and computes: Polars on this machine, or Spark; see docs/scale.md."
    )
    spark_url: SecretStr = Field(
        SecretStr("local[*]"),
        description="Spark: sc://host:15002 (Spark Connect), spark://host:7077, or `local[*]`: this machine.",
    )

    excluded_order_statuses: Annotated[frozenset[str], NoDecode, BeforeValidator(_read_list)] = Field(
        frozenset({"cancelled", "refunded", "returned", "failed", "unavailable"}),
        description="Orders with these statuses do not count; set to nothing, every order counts.",
    )
    negative_amounts: Literal["reject", "keep"] = Field(
        "reject", description="What to do with negative amounts and quantities on counting orders."
    )
    top_n: int = Field(5, ge=1, le=1000, description="How many rows the top lists have.")
    basket_pairs_n: int = Field(20, ge=1, le=1000, description="How many product pairs are listed.")
    insights: Annotated[dict[str, Any], NoDecode, BeforeValidator(read_insights)] = Field(
        {},
        description="Your own insights: `files`, a list of Python files and folders of them, and under an"
        " insight's id its options. See docs/your-own-insight.md.",
    )
    max_rejected_share: float = Field(
        0.5, ge=0, le=1, description="A table with a larger share of rejected rows stops the run …"
    )
    min_rejected_rows: int = Field(100, ge=0, description="… if it also has more rejected rows than this.")

    extract_connections: int = Field(
        2, ge=1, le=16, description="Connections that read one snapshot in parallel."
    )
    batch_rows: int = Field(131_072, ge=1_000, description="Rows per batch; limits the memory of extraction.")

    keep_generations: int = Field(3, ge=1, description="Published generations kept, the served one included.")
    keep_rejected: Duration | None = Field(
        None,
        ge=timedelta(hours=1),
        description="How long MongoDB keeps rejected rows; by default as long as their generation.",
    )
    keep_history: Duration = Field(
        timedelta(days=365),
        description="How long `insights_history` keeps the figures of a published run; 0 keeps none.",
    )
    keep_runs: int = Field(3, ge=1, description="Run directories kept on disk.")
    lease_duration: Duration = Field(
        timedelta(seconds=60),
        description="How long a lease lasts without renewal; then another run may take it.",
    )
    shrink_max_share: float = Field(
        0.3,
        ge=0,
        le=1,
        description="The shrink guard withholds a run whose rows or revenue fall by more than this share …",
    )
    shrink_min_rows: int = Field(100, ge=0, description="… and rows by more than this number …")
    shrink_min_revenue: int = Field(
        10_000, ge=0, description="… and revenue by more than this many units of the currency."
    )

    every: Duration = Field(
        timedelta(hours=3), gt=timedelta(0), description="How often `serve` runs the pipeline."
    )
    cron: str | None = Field(None, description="A cron line for `serve`; overrides `every`.")
    retries: int = Field(3, ge=0, le=20, description="How often an error that may pass is retried.")
    retry_delay: Duration = Field(
        timedelta(seconds=10), description="The wait before the first retry; doubled each time, with jitter."
    )
    stage_timeout: Duration = Field(timedelta(hours=1), description="A stage that takes longer is stopped.")
    connect_timeout: Duration = Field(
        timedelta(seconds=10), description="How long a database may take to answer the first call."
    )
    report_path: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = Field(
        None, description="A file for the report, one HTML page; every run that succeeds rewrites it."
    )
    alert_webhook: SecretStr | None = Field(
        None, description="A URL that receives alerts (Slack-compatible JSON)."
    )
    alert_command: SecretStr | None = Field(
        None, description="A command that receives alerts as JSON on its input."
    )
    watch: list[WatchRule] = Field(
        [],
        description="Figures that each run looks at, and the limits at which it alerts: see"
        " docs/operations.md.",
    )
    alert_rejected_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="A run that rejects a larger share of a table's rows is published with an alert.",
    )

    privacy_email: Literal["plain", "hmac", "drop"] = Field(
        "plain", description="Customers' e-mail addresses in all that is published or shown."
    )
    privacy_name: Literal["plain", "hmac", "drop"] = Field(
        "plain", description="Customers' names in all that is published or shown."
    )
    privacy_key: SecretStr | None = Field(
        None, min_length=32, description="The key for `hmac`, at least 32 characters."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Settings:
        if "hmac" in (self.privacy_email, self.privacy_name) and self.privacy_key is None:
            raise ValueError("`hmac` needs a privacy_key of at least 32 characters")
        orders = self.tables.get(ORDERS.name, UNMAPPED).currency
        if self.shop_currency is not None and orders not in (None, self.shop_currency):
            raise ValueError(f"shop_currency is {self.shop_currency}, but [tables.orders] chooses {orders}")
        return self

    @field_validator("source_url", "target_url")
    @classmethod
    def _escaped(cls, url: SecretStr) -> SecretStr:
        """Refuse a raw password: a part of it would be taken for a host, and named in messages."""
        if _RAW_USER_INFO.match(url.get_secret_value()):
            raise ValueError("user and password must be percent-encoded, e.g. %40 for @ and %2F for /")
        return url

    @field_validator("workdir", mode="before")
    @classmethod
    def _is_folder(cls, workdir: Any) -> Any:
        """Refuse object storage, which would become a folder named after it."""
        if _URL.match(str(workdir)):
            raise ValueError("object storage is not supported yet; name a folder that all machines mount")
        return workdir

    @field_validator("spark_url")
    @classmethod
    def _is_spark(cls, url: SecretStr) -> SecretStr:
        if not _SPARK_URL.fullmatch(url.get_secret_value()):
            raise ValueError("only sc://host[:port], spark://host:port and local[…] are supported yet")
        return url

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, given: dict[str, Any]) -> dict[str, Any]:
        return with_preset(given)

    @field_validator("tables")
    @classmethod
    def _named(cls, tables: dict[str, TableMapping], info: ValidationInfo) -> dict[str, TableMapping]:
        check_names(tables)
        return with_addresses(tables) if info.data.get("guests") == "by_email" else without_addresses(tables)

    @field_validator("watch")
    @classmethod
    def _distinct(cls, rules: list[WatchRule]) -> list[WatchRule]:
        """Refuse equal rules: each would be one series of the metrics."""
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are equal: {twice[0]}")
        return rules

    @field_validator("excluded_order_statuses")
    @classmethod
    def _normalised(cls, statuses: frozenset[str]) -> frozenset[str]:
        """Statuses are compared as cleaning leaves them."""
        tidy = {status.strip().lower() for status in statuses} - {""}
        return frozenset(STATUS_SPELLINGS.get(status, status) for status in tidy)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment, then shopsight.toml."""
        return init_settings, env_settings, _FileSource(settings_cls)

    def shown(self, name: str) -> str:
        """A setting's value as one writes it, without credentials; nothing for one that is not set."""
        return shown_value(getattr(self, name), hide=name.startswith("alert_") or name == "privacy_key")

    @property
    def shop_time_zone(self) -> str:
        """The time zone that the shop's days are taken in."""
        return self.time_zone or UTC_NAME

    @property
    def currency(self) -> str | None:
        """The currency of all amounts; None if it is not known."""
        return self.shop_currency or self.tables.get(ORDERS.name, UNMAPPED).currency

    @property
    def valid_for(self) -> timedelta:
        """How long a generation counts as fresh: twice the interval."""
        return 2 * self.every


def setting_origins(settings: Settings) -> dict[str, str]:
    """By setting, where its value comes from: ``default``, ``shopsight.toml``, a variable's name, a preset.

    ``tables`` may come from two of them.
    """
    in_file = _FileSource(Settings)()
    variables = {name.upper().partition(_NESTED)[0]: name for name in os.environ}
    in_preset = load_preset(settings.preset).settings if settings.preset else {}
    origins = {}
    for name in Settings.model_fields:
        own = variables.get(f"{_PREFIX}{name.upper()}") or (_FILE if name in in_file else "")
        preset = f"preset {settings.preset}" if name in in_preset and (not own or name == "tables") else ""
        origins[name] = ", ".join(filter(None, [own, preset])) or "default"
    return origins


def load_settings(**given: Any) -> Settings:
    """The settings; ``given``, except None, overrides environment and file.

    Raises:
        ConfigurationError: naming each setting that is wrong, and never its value (it may be a secret).
    """
    _refuse_misspelt_variables()
    if Path(_FILE).exists():
        warn_if_writable(Path(_FILE))
        warn_if_writable(Path.cwd())
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(_explained(e["loc"], e["type"], e["msg"]) for e in error.errors())
    except SettingsError as error:
        wrong = str(error)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{_FILE} cannot be read: {error}.", remedy=f"Correct {_FILE}.") from None
    raise ConfigurationError(
        f"The settings cannot be used: {wrong}.",
        remedy=f"Correct {_FILE}, the {_PREFIX}* environment or the command line.",
    )


def _explained(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """One of pydantic's errors; for a name that is no setting, with the nearest one that is."""
    setting = ".".join(map(str, place)) or "settings"
    if kind != "extra_forbidden":
        return f"{setting}: {message.removeprefix('Value error, ')}"
    in_table = [field.alias or name for name, field in TableMapping.model_fields.items()]
    known = in_table if len(place) > 1 else [*Settings.model_fields, *_SECTIONS]
    meant = did_you_mean(str(place[-1]), known)
    return f"{setting} is no setting{f' ({meant})' if meant else ''}"


def _refuse_misspelt_variables() -> None:
    """Refuse a variable whose name is close to a setting's: it is probably misspelled."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in os.environ:
        own = name.upper().partition(_NESTED)[0]
        meant = did_you_mean(own, known, cutoff=0.85) if own.startswith(_PREFIX) and own not in known else ""
        if meant:
            raise ConfigurationError(f"The environment has {name}, which is no setting.", remedy=meant)


@cache
def warn_if_writable(file: Path) -> None:
    """Warn once: write access to settings or insights is enough to run commands or redirect the data."""
    if file.stat().st_mode & stat.S_IWOTH:
        structlog.get_logger("shopsight").warning(
            "settings", file=str(file), warning="every user may write to it"
        )
