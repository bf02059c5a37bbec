"""Settings: ``shopsight.toml`` < ``SHOPSIGHT_*`` environment < command line. Opens no connection."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from shopsight.errors import ConfigurationError

#: The address that stands for the servers which shopsight starts itself, under the working directory.
EMBEDDED = "embedded"


class Settings(BaseSettings):
    """Every setting, its default and its meaning; ``docs/settings.md`` is held against this class."""

    model_config = SettingsConfigDict(
        env_prefix="SHOPSIGHT_", toml_file="shopsight.toml", extra="forbid", frozen=True, validate_default=True
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

    excluded_order_statuses: frozenset[str] = Field(
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

    extract_connections: int = Field(2, ge=1, le=16, description="Connections that read the snapshot together.")
    batch_rows: int = Field(131_072, ge=1_000, description="Rows in one batch; bounds the memory of extraction.")

    keep_generations: int = Field(3, ge=1, description="Published generations kept, the served one included.")
    keep_runs: int = Field(3, ge=1, description="Run directories kept on disk.")
    lease_duration: timedelta = Field(
        timedelta(seconds=60), description="A lease that is not renewed for so long may be taken over."
    )
    shrink_max_share: float = Field(
        0.3, ge=0, le=1, description="The shrink guard: a fall by more than this share …"
    )
    shrink_min_rows: int = Field(100, ge=0, description="… and by more than this many rows is withheld.")
    shrink_min_revenue: int = Field(
        10_000, ge=0, description="… and for revenue, by more than this many units of the currency."
    )

    every: timedelta = Field(timedelta(hours=3), description="How often `serve` runs the pipeline.")
    cron: str | None = Field(None, description="A cron line for `serve`; goes before `every`.")
    retries: int = Field(3, ge=0, le=20, description="How often a stage is tried again when that can help.")
    retry_delay: timedelta = Field(
        timedelta(seconds=10), description="The wait before the first retry; doubled each time, with jitter."
    )
    stage_timeout: timedelta = Field(timedelta(hours=1), description="A stage that takes longer is stopped.")
    connect_timeout: timedelta = Field(
        timedelta(seconds=10), description="How long a database may take to answer the first call."
    )
    alert_webhook: SecretStr | None = Field(None, description="A URL that receives alerts (Slack-compatible JSON).")
    alert_command: str | None = Field(None, description="A command that receives alerts as JSON on its input.")

    @field_validator("excluded_order_statuses")
    @classmethod
    def _normalised(cls, statuses: frozenset[str]) -> frozenset[str]:
        """Statuses are compared as cleaning leaves them."""
        return frozenset("cancelled" if s == "canceled" else s for s in (s.strip().lower() for s in statuses) if s)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
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
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"The settings cannot be used: {wrong}.",
            remedy="Correct shopsight.toml, the SHOPSIGHT_* environment or the command line.",
        ) from None
