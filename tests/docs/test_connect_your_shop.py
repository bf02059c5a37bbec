"""docs/connect-your-shop.md: its commands are run, in order, and its GRANTs are enough."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import psycopg
from tests.support.documents import Document

from shopsight.extract import Source, check_source
from shopsight.inspect.proposal import propose
from shopsight.settings import load_settings

PAGE = Document(Path(__file__).parents[2] / "docs" / "connect-your-shop.md")


def test_the_page_leads_from_nothing_to_what_it_shows(mongo_url: str, mongo_database: str) -> None:
    make, look, publish = PAGE.blocks("sh tried")
    said, shown = PAGE.blocks("text")
    (corrected,) = PAGE.blocks("toml")
    place = {"SHOPSIGHT_TARGET_URL": mongo_url, "SHOPSIGHT_TARGET_DATABASE": mongo_database}
    assert said.strip() in PAGE.run(make, **place)
    Path("shopsight.toml").write_text(corrected)
    doctor = PAGE.run(look, **place)
    for line in shown.strip().splitlines():
        assert line.removesuffix(" …").strip() in doctor
    figures = PAGE.run(publish, **place)
    assert re.search(r"2024-02-01 +67\.50", figures), figures
    assert "2024-01-01" not in figures


def test_the_grants_for_postgresql_are_enough(postgres_url: str) -> None:
    make = re.sub(r"(?s)^sqlite3.*?\n|\nSQL\n.*", "", PAGE.blocks("sh tried")[0])
    role = f"reader_{uuid.uuid4().hex}"
    (grants,) = PAGE.blocks("sql postgresql")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(make.encode())
        connection.execute(grants.replace("shopsight_reader", role).encode())
    url = f"postgresql://{role}:change-me@{postgres_url.partition('@')[2]}"
    Path("shopsight.toml").write_text(PAGE.blocks("toml")[0])
    try:
        settings = load_settings(source_url=url)
        checks = check_source(Source(url, None, settings.connect_timeout, settings.tables))
        assert [check for check in checks if not check.is_ok] == []
        assert propose(settings, None).unsure == 1
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
