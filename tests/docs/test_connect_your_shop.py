"""docs/connect-your-shop.md: its commands are run, in order, and its GRANTs are enough."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg

from shopsight.extract import check_source
from shopsight.inspect.proposal import propose
from shopsight.settings import load_settings

PAGE = (Path(__file__).parents[2] / "docs" / "connect-your-shop.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def run(script: str, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, **environment},
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_the_page_leads_from_nothing_to_what_it_shows(mongo_url: str, mongo_database: str) -> None:
    make, look, publish = blocks("sh tried")
    said, shown = blocks("text")
    (corrected,) = blocks("toml")
    place = {"SHOPSIGHT_TARGET_URL": mongo_url, "SHOPSIGHT_TARGET_DATABASE": mongo_database}
    assert said.strip() in run(make, **place)
    Path("shopsight.toml").write_text(corrected)
    doctor = run(look, **place)
    for line in shown.strip().splitlines():
        assert line.removesuffix(" …").strip() in doctor
    figures = run(publish, **place)
    assert re.search(r"2024-02-01 +67\.50", figures), figures
    assert "2024-01-01" not in figures


def test_the_grants_for_postgresql_are_enough(postgres_url: str) -> None:
    make = re.sub(r"(?s)^sqlite3.*?\n|\nSQL\n.*", "", blocks("sh tried")[0])
    role = f"reader_{uuid.uuid4().hex}"
    (grants,) = blocks("sql postgresql")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(make.encode())
        connection.execute(grants.replace("shopsight_reader", role).encode())
    url = f"postgresql://{role}:change-me@{postgres_url.partition('@')[2]}"
    Path("shopsight.toml").write_text(blocks("toml")[0])
    try:
        settings = load_settings(source_url=url)
        checks = check_source(
            url, schema=None, connect_timeout=settings.connect_timeout, tables=settings.tables
        )
        assert [check for check in checks if not check.is_ok] == []
        assert propose(settings, None).unsure == 1
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
