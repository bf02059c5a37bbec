"""README: its set-up of both databases is done to the letter, by a person who types the passwords."""

from __future__ import annotations

import os
import pty
import re
import sys
from pathlib import Path

import psycopg
import pytest
from tests.conftest import Restartable
from tests.support.documents import Document
from tests.support.literal_rows import load_rows
from tests.support.shop_rows import SHOP

from shopsight_demo.servers import PostgresServer

ROOT = Path(__file__).parents[2]
README = Document(ROOT / "README.md")
PASSWORD = "correct-horse"

#: mongosh is not among the tests' programs: what role.js asks of it is done with node and pymongo instead.
MONGOSH = """#!{python}
import getpass, json, subprocess, sys
from pymongo import MongoClient
url, script = sys.argv[1:]
told = json.loads(subprocess.check_output(["node", "-e", '''
const told = [];
const db = {{getSiblingDB: (name) => ({{
  createRole: ({{role, ...rest}}) => told.push([name, {{createRole: role, ...rest}}]),
  createUser: ({{user, ...rest}}) => told.push([name, {{createUser: user, ...rest}}]),
}})}};
const passwordPrompt = () => process.argv[2];
eval(require("fs").readFileSync(process.argv[1], "utf8"));
console.log(JSON.stringify(told));
''', script, getpass.getpass("password")]))
with MongoClient(url) as client:
    for database, command in told:
        client[database].command(command)
"""


def typed(script: str, answer: str) -> None:
    """Run a script on a terminal, where a person answers each question for a password."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execvp("bash", ["bash", "-euc", script])  # noqa: S606
    said = b""
    while True:
        try:
            said += (piece := os.read(terminal, 65536))
        except OSError:  # the other end is closed
            break
        if re.search(rb"(?i)password|again", piece):
            os.write(terminal, answer.encode() + b"\n")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode()


def test_the_setup_of_both_databases_logs_in_and_suffices(
    restartable_postgres: Restartable,
    restartable_mongo: Restartable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_rows(restartable_postgres.url, SHOP)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mongosh").write_text(MONGOSH.format(python=sys.executable))
    (tmp_path / "bin" / "mongosh").chmod(0o755)
    server = restartable_postgres.server
    assert isinstance(server, PostgresServer)
    for folder in (server.program("psql").parent, tmp_path / "bin"):
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    sql, mongo = (block for block in README.blocks("sh") if "export" in block)
    _, _, place = restartable_postgres.url.partition("@")
    hosts = re.findall(r"@([^/]+)/", restartable_mongo.url)[0]
    addresses = {
        "postgresql://owner@db.example/shop": restartable_postgres.url,
        "@db.example/shop": f"@{place}",
        "mongodb://admin@mongo.example/admin": restartable_mongo.url,
        "@mongo.example/": f"@{hosts}/",
        "…": PASSWORD,
    }
    settings = {}
    for block in (sql, mongo):
        for example, real in addresses.items():
            block = block.replace(example, f"'{real}'" if "://" in example else real)  # noqa: PLW2901
        *commands, export = block.strip().splitlines()
        typed("\n".join(commands), PASSWORD)
        name, _, value = export.removeprefix("export ").partition("=")
        settings[name] = value.strip("'")
    assert set(settings) == {"SHOPSIGHT_SOURCE_URL", "SHOPSIGHT_TARGET_URL"}
    assert "✗" not in README.run("shopsight doctor", **settings)
    assert "Generation 1 is served" in README.run("shopsight run && shopsight verify", **settings)
    with psycopg.connect(settings["SHOPSIGHT_SOURCE_URL"]) as reader:
        assert reader.execute("SELECT current_user").fetchone() == ("shopsight_reader",)
