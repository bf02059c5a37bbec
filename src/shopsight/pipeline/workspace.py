"""A run's directory: one folder a stage, closed by a manifest that is written last.

::

    <workdir>/runs/<run_id>/
        run.json                     the run's document, as it goes to MongoDB
        lock                         held by the process that works on the run
        manifests/<stage>.json       closes the stage's folders
        raw/<table>/*.parquet
        clean/<table>/*.parquet      clean/order_units/…
        rejected/<table>/*.parquet   rejected/repairs/<table>/…  rejected/merged/<table>/…
                                     rejected/flags/<table>/…
        marts/customer_metrics/…     marts/customers/…     marts/insights/<insight>/…

A stage whose manifest is whole (the files that it names and no others, each of its size and hash) is not done
again when a run resumes. A manifest is renamed into place after its files are on disk, so that a crash leaves
either no manifest or a true one.

The files hold personal data: under any umask, the run's directory is 0700, and all in it 0700 or 0600. The
files of a stage that still works have the umask's mode, behind the run's own 0700.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shopsight.errors import ConfigurationError, WorkspaceError, translated_disk_errors
from shopsight.record import RunRecord

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}", re.ASCII)


def new_run_id(moment: datetime | None = None) -> str:
    """A run id that sorts by time: ``20261122T180000Z-1f3a9c`` (UTC, then six random hex digits)."""
    moment = moment or datetime.now(UTC)
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"


def file_hash(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Stage:
    """One stage's folders in a run's directory, and the manifest that closes them.

    Attributes:
        name: the stage's name; its manifest is ``manifests/<name>.json``.
        root: the run's directory.
        folders: the folders, relative to the root, that the stage owns: emptied when it begins.
    """

    name: str
    root: Path
    folders: tuple[str, ...]

    @property
    def manifest_path(self) -> Path:
        """The manifest's path."""
        return self.root / "manifests" / f"{self.name}.json"

    def begin(self) -> None:
        """Remove what an earlier, unfinished try left, and recreate the folders."""
        with translated_disk_errors(self.root):
            self.manifest_path.unlink(missing_ok=True)
            for folder in self.folders:
                shutil.rmtree(self.root / folder, ignore_errors=True)
                (self.root / folder).mkdir(parents=True)

    def close(self, details: dict[str, Any]) -> None:
        """Write the manifest: every file's size and hash, and the stage's details (JSON values)."""
        with translated_disk_errors(self.root):
            _keep_private(self.root / folder for folder in self.folders)
            files = {
                str(path.relative_to(self.root)): {"bytes": path.stat().st_size, "sha256": file_hash(path)}
                for path in self._files()
            }
            write_json(
                self.manifest_path,
                {
                    "stage": self.name,
                    "closed_at": datetime.now(UTC).isoformat(),
                    "files": files,
                    "details": details,
                },
            )

    def details(self) -> dict[str, Any] | None:
        """The details of a whole stage; None when there is no manifest or the files are not as it says."""
        try:
            manifest = json.loads(self.manifest_path.read_text())
            details: dict[str, Any] = manifest["details"]
            files = manifest["files"]
            if set(files) != {str(path.relative_to(self.root)) for path in self._files()}:
                return None
            for name, expected in files.items():
                path = self.root / name
                if path.stat().st_size != expected["bytes"] or file_hash(path) != expected["sha256"]:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return details

    def _files(self) -> list[Path]:
        return [path for folder in self.folders for path in sorted((self.root / folder).rglob("*.parquet"))]


class Workspace:
    """The directory of one run.

    Raises:
        ConfigurationError: the id has not the form of a run's id, so it could name any directory.
    """

    def __init__(self, workdir: Path, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id):
            raise ConfigurationError(
                f"{run_id!r} is not a run's id.",
                remedy=f"Run ids look like {new_run_id()}; `shopsight runs` lists them.",
            )
        self.run_id = run_id
        self.root = workdir / "runs" / run_id

    @classmethod
    def create(cls, workdir: Path, run_id: str) -> Workspace:
        """A new run's directory.

        Raises:
            WorkspaceError: it cannot be made, or somebody else made it.
        """
        workspace = cls(workdir, run_id)
        make_folder(workdir)
        make_folder(workdir / "runs")
        make_folder(workspace.root, mode=0o700)
        with translated_disk_errors(workdir):
            workspace.root.chmod(0o700)
        return workspace

    @classmethod
    def existing(cls, workdir: Path, run_id: str | None) -> Workspace:
        """The directory of an earlier run; of the newest one when ``run_id`` is None.

        Raises:
            WorkspaceError: there is none.
        """
        run_ids = cls.run_ids(workdir)
        chosen = run_id if run_id is not None else (run_ids[-1] if run_ids else None)
        if chosen is None or chosen not in run_ids:
            known = f"it holds {', '.join(run_ids[-5:])}" if run_ids else "it holds no run"
            raise WorkspaceError(
                f"No run {chosen or ''} under {workdir / 'runs'}; {known}.",
                remedy="Name a run that is kept (`shopsight runs`), or start a new one with `shopsight run`.",
            )
        return cls(workdir, chosen)

    @staticmethod
    def run_ids(workdir: Path) -> list[str]:
        """The ids of the runs whose directories are kept, oldest first."""
        folder = workdir / "runs"
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if RUN_ID.fullmatch(path.name))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the directory from being swept, and from a second process, while the context lasts.

        The operating system releases the lock when the process ends in any way. So a run whose lock is free
        has no process, and only the holder of the lock writes ``run.json``.

        Raises:
            WorkspaceError: another process works on this run.
        """
        with translated_disk_errors(self.root):
            lock = os.fdopen(os.open(self.root / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkspaceError(
                    f"Another process works on run {self.run_id}. Nothing was changed.",
                    remedy="Wait until it has ended, or start a run of its own with `shopsight run`.",
                ) from None
            yield

    @property
    def is_in_use(self) -> bool:
        """Whether a process works on the run now."""
        try:
            with self.in_use():
                return False
        except WorkspaceError:
            return self.root.is_dir()

    def folder(self, name: str) -> Path:
        """A folder of the run, e.g. ``raw`` or ``rejected/repairs``."""
        return self.root / name

    @property
    def raw(self) -> Stage:
        """Extraction, with the raw files."""
        return Stage("extract", self.root, ("raw",))

    @property
    def clean(self) -> Stage:
        """Cleaning, with the kept, rejected, merged and changed rows."""
        return Stage("clean", self.root, ("clean", "rejected"))

    @property
    def metrics(self) -> Stage:
        """One row per customer."""
        return Stage("metrics", self.root, ("marts/customer_metrics",))

    @property
    def insights(self) -> Stage:
        """One folder per insight, and all that is published of each customer."""
        return Stage("insights", self.root, ("marts/customers", "marts/insights"))

    @property
    def is_published(self) -> bool:
        """Whether the run's record says that it was published."""
        record = self.read_record()
        return bool(record.get("kind") == "run" and record.get("status") == "succeeded")

    def write_record(self, record: RunRecord) -> None:
        """Keep the run's record beside its data. The caller is :meth:`in_use`."""
        with translated_disk_errors(self.root):
            write_json(self.root / "run.json", record.as_document())

    def load_record(self) -> RunRecord | None:
        """The run's record as it was last kept; None when there is none, or a damaged one."""
        try:
            return RunRecord.from_document(self.read_record())
        except ValueError:
            return None

    def read_record(self) -> dict[str, Any]:
        """The document in ``run.json``, exact figures as text; empty when there is none."""
        try:
            record: dict[str, Any] = json.loads((self.root / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        return record


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder unless it is there.

    Raises:
        WorkspaceError: it cannot be made; or everybody may write beside it, and somebody else made it first.
    """
    with translated_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        # For a symbolic link, the link's own owner.
        is_foreign = folder.lstat().st_uid != os.geteuid()
        if is_foreign and folder.absolute().parent.stat().st_mode & stat.S_IWOTH:
            raise WorkspaceError(
                f"{folder} belongs to another user, and its parent folder is world-writable. Nothing was"
                " written to it.",
                remedy="Give another --workdir, in a folder of your own.",
            )


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, whole, even after a crash."""
    path.parent.mkdir(exist_ok=True, mode=0o700)
    # A name of its own for each writer, readable by its owner alone.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(document, stream, indent=1, default=str)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_runs(workdir: Path) -> list[str]:
    """Remove all runs' directories; returns the ids removed.

    Raises:
        WorkspaceError: a process works on one of them, and nothing was removed; or one cannot be removed.
    """
    workspaces = [Workspace(workdir, run_id) for run_id in Workspace.run_ids(workdir)]
    with ExitStack() as stack:
        for workspace in workspaces:
            stack.enter_context(workspace.in_use())
        for workspace in workspaces:
            with translated_disk_errors(workspace.root):
                shutil.rmtree(workspace.root)
    return [workspace.run_id for workspace in workspaces]


def _keep_private(folders: Iterable[Path]) -> None:
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)


def sweep_runs(workdir: Path, keep: int, served: str | None = None) -> list[str]:
    """Remove the oldest runs' directories beyond ``keep``, but for those in use; returns the ids removed.

    The newest run that was published stays, however many failed or were plans since, and the run ``served``:
    they explain what is served.
    """
    removed = []
    workspaces = [Workspace(workdir, run_id) for run_id in Workspace.run_ids(workdir)]
    published = next((w.run_id for w in reversed(workspaces) if w.is_published), None)
    for workspace in workspaces[:-keep] if keep > 0 else []:
        run_id = workspace.run_id
        if run_id in (published, served):
            continue
        try:
            with workspace.in_use():
                shutil.rmtree(workspace.root, ignore_errors=True)
        except WorkspaceError:
            continue
        removed.append(run_id)
    return removed
