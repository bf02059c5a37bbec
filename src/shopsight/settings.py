"""Settings: ``shopsight.toml`` < ``SHOPSIGHT_*`` environment < command line. Opens no connection."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from shopsight.contract import STATUS_SPELLINGS
from shopsight.errors import ConfigurationError

#: The address that stands for the servers which shopsight starts itself, under the working directory.
EMBEDDED = "embedded"

_PREFIX = "SHOPSIGHT_"
_FILE = "shopsight.toml"
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# What stands between a URL's :// and its query holds one @ at most, unless a password was written raw.
_RAW_USER_INFO = re.compile(
    r"(?:postgres(?:ql)?|mongodb(?:\+srv)?)://(?:[^@?]*@[^@?]*@|[^/?#@]*/[^@?]*@|[^/?#@]*[?#][^@=]*@)"
)


def _read_duration(value: Any) -> Any:
    """``3h``, ``90m``, ``1h30m`` or a number of seconds, beside what pydantic reads."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if text.isdigit():
        return timedelta(seconds=int(text))
    if text and (match := _DURATION.fullmatch(text)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return value


def _read_list(value: Any) -> Any:
    """``a, b`` and ``["a", "b"]`` from the environment, as a list; nothing is the empty list."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return value.split(",")


Duration = Annotated[timedelta, BeforeValidator(_read_duration), Field(ge=timedelta(0))]


class Settings(BaseSettings):
    """Every setting, its default and its meaning; ``docs/settings.md`` is held against this class."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, toml_file=_FILE, extra="forbid", frozen=True, validate_default=True
    )

    source_url: SecretStr = Field(
        SecretStr(EMBEDDED),
        description="The shop's database: postgresql://…, sqlite:///path, or `embedded`.",
    )
    source_schema: str | None = Field(
        None, description="The schema that holds the six tables; by default the connection's own search path."
    )
    target_url: SecretStr = Field(SecretStr(EMBEDDED), description="MongoDB: mongodb://…, or `embedded`.")
    target_database: str = Field("shopsight", description="The MongoDB database to publish to.", min_length=1)
    workdir: Path = Field(Path(".shopsight"), description="Where runs and embedded servers keep their files.")

    excluded_order_statuses: Annotated[frozenset[str], NoDecode, BeforeValidator(_read_list)] = Field(
        frozenset({"cancelled", "refunded", "returned", "failed", "unavailable"}),
        description="Orders with these statuses do not count; set to nothing, every order counts.",
    )
    negative_amounts: Literal["reject", "keep"] = Field(
        "reject", description="What becomes of negative amounts and quantities on counting orders."
    )
    top_n: int = Field(5, ge=1, le=1000, description="How many rows the top lists have.")
    basket_pairs_n: int = Field(20, ge=1, le=1000, description="How many product pairs are listed.")
    max_rejected_share: float = Field(
        0.5, ge=0, le=1, description="A table of which a greater share of rows is rejected stops the run."
    )
    min_rejected_rows: int = Field(100, ge=0, description="… but so few rejected rows of a table never do.")

    extract_connections: int = Field(
        2, ge=1, le=16, description="Connections that read the snapshot together."
    )
    batch_rows: int = Field(
        131_072, ge=1_000, description="Rows in one batch; bounds the memory of extraction."
    )

    keep_generations: int = Field(3, ge=1, description="Published generations kept, the served one included.")
    keep_runs: int = Field(3, ge=1, description="Run directories kept on disk.")
    lease_duration: Duration = Field(
        timedelta(seconds=60), description="A lease that is not renewed for so long may be taken over."
    )
    shrink_max_share: float = Field(
        0.3, ge=0, le=1, description="The shrink guard: a fall by more than this share …"
    )
    shrink_min_rows: int = Field(100, ge=0, description="… and by more than this many rows is withheld.")
    shrink_min_revenue: int = Field(
        10_000, ge=0, description="… and for revenue, by more than this many units of the currency."
    )

    every: Duration = Field(
        timedelta(hours=3), gt=timedelta(0), description="How often `serve` runs the pipeline."
    )
    cron: str | None = Field(None, description="A cron line for `serve`; goes before `every`.")
    retries: int = Field(3, ge=0, le=20, description="How often a stage is tried again when that can help.")
    retry_delay: Duration = Field(
        timedelta(seconds=10), description="The wait before the first retry; doubled each time, with jitter."
    )
    stage_timeout: Duration = Field(timedelta(hours=1), description="A stage that takes longer is stopped.")
    connect_timeout: Duration = Field(
        timedelta(seconds=10), description="How long a database may take to answer the first call."
    )
    alert_webhook: SecretStr | None = Field(
        None, description="A URL that receives alerts (Slack-compatible JSON)."
    )
    alert_command: str | None = Field(
        None, description="A command that receives alerts as JSON on its input."
    )
    alert_rejected_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="A run that rejects a greater share of a table's rows is published, and alerted.",
    )

    @field_validator("source_url", "target_url")
    @classmethod
    def _escaped(cls, url: SecretStr) -> SecretStr:
        """Parts of a password that is not escaped would be taken for a host, and named in messages."""
        if _RAW_USER_INFO.match(url.get_secret_value()):
            raise ValueError("user and password must be percent-encoded, e.g. %40 for @ and %2F for /")
        return url

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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def valid_for(self) -> timedelta:
        """How long a generation counts as fresh: twice the interval."""
        return 2 * self.every


def load_settings(**given: Any) -> Settings:
    """The settings, with ``given`` (None left out) going before environment and file.

    Raises:
        ConfigurationError: naming each setting that is wrong, and never its value (it may be a secret).
    """
    remedy = f"Correct {_FILE}, the {_PREFIX}* environment or the command line."
    _refuse_misspelt(os.environ)
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"The settings cannot be used: {wrong}.", remedy=remedy) from None
    except SettingsError as error:
        raise ConfigurationError(f"The settings cannot be used: {error}.", remedy=remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{_FILE} cannot be read: {error}.", remedy=f"Correct {_FILE}.") from None


def _refuse_misspelt(environment: Iterable[str]) -> None:
    """A variable that is nearly a setting is not passed over: somebody means it to be one."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in environment:
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.85)
            if near:
                raise ConfigurationError(
                    f"The environment has {name}, which is no setting.", remedy=f"Did you mean {near[0]}?"
                )
