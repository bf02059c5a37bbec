"""Folders outside the working directory, for files that cannot be in it, and the user of root's servers.

A place has an unguessable name, and a file in the working directory records it. It counts only while it is
still a folder of the caller's own, because other users can make folders in the temporary directory, too.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shopsight.errors import WorkspaceError
from shopsight_demo.servers.process import write_private

#: A socket's path has at most 107 bytes, and a comma or a quote has a meaning to PostgreSQL.
SOCKET_FOLDER = re.compile(r"/[\w./ +@-]{0,90}", re.ASCII)

_USER = "shopsight"


def recorded_place(record: Path) -> Path | None:
    """The place that a file names; None if there is none, or it is not the caller's own folder any more."""
    try:
        place = Path(record.read_text())
        info = place.lstat()
    except OSError:
        return None
    return place if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() else None


def make_place(record: Path) -> Path:
    """Make a place for the caller's own files, of mode 0700, and record it.

    Raises:
        WorkspaceError: no temporary directory will do.
    """
    place = _new_folder()
    write_private(record, str(place))
    return place


def make_home(record: Path) -> Path:
    """Make and record a place of root's that others can pass, and in it ``home``, the server user's own.

    Raises:
        WorkspaceError: no temporary directory will do.
    """
    user = _server_user()
    place = _new_folder(user)
    place.chmod(0o711)
    home = place / "home"
    home.mkdir(mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    write_private(record, str(place))
    return home


def _new_folder(user: pwd.struct_passwd | None = None) -> Path:
    # /var/tmp survives a restart of the machine.
    named = [name for name in (os.environ.get("TMPDIR"), "/var/tmp", "/tmp") if name]  # noqa: S108 - mkdtemp
    for folder in [Path(name).resolve() for name in named]:
        is_fit = SOCKET_FOLDER.fullmatch(f"{folder}/shopsight-12345678/home") and folder.is_dir()
        if is_fit and (user is None or can_use(user, folder)):
            return Path(tempfile.mkdtemp(prefix="shopsight-", dir=folder))
    raise WorkspaceError(
        f"The servers' user can reach no temporary directory with a short name; tried {', '.join(named)}.",
        remedy="Set TMPDIR to such a directory, or run as an ordinary user with a shorter --workdir.",
    )


def becoming(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """The options with which :mod:`subprocess` runs a program as this user; none for the caller itself."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def can_use(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether the user can reach a folder or program, and pass or execute it."""
    return subprocess.run(["test", "-x", path], check=False, **becoming(user)).returncode == 0


def usable_copy(folder: Path, parts: Sequence[Path], user: pwd.struct_passwd | None, place: Path) -> Path:
    """The folder of programs and libraries, or a copy in root's place if the user cannot use these parts."""
    if user is None or all(can_use(user, folder / part) for part in parts):
        return folder
    copies = place / "programs"
    for part in parts:
        original, copy, draft = folder / part, copies / part, place / "programs.new"
        if copy.exists() and copy.stat().st_mtime_ns == original.stat().st_mtime_ns:
            continue
        for stale in (copy, draft):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink(missing_ok=True)
        if original.is_dir():
            shutil.copytree(original, draft, symlinks=True)
        else:
            shutil.copy2(original, draft)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)  # public programs, perhaps installed under a strict umask
        copy.parent.mkdir(parents=True, exist_ok=True)
        for folder_of_copies in (copies, copy.parent):
            folder_of_copies.chmod(0o755)
        draft.rename(copy)
    return copies


def _server_user() -> pwd.struct_passwd:
    """The user whom root runs servers as: PostgreSQL refuses to run as root, and no database should."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    for name in (_USER, _USER, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            if useradd and name == _USER:
                options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
                # Two at once: the second one fails, and finds the user.
                subprocess.run([useradd, *options, _USER], capture_output=True, check=False)
    raise WorkspaceError("Root needs a user for the servers.", remedy=f"Make a system user {_USER!r}.")
