"""Who the embedded servers run as.

Run by a person, they run as that person. PostgreSQL refuses to run as root, and no database should: run by
root, both become the system user ``shopsight`` (made if need be), or the user who already owns the data.
That user must get to the data and to the programs through folders that may be closed to others, such as
``/root``: those folders get one entry more in their access list, which lets this one user pass and no more.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopsight.errors import WorkspaceError, translated_disk_errors

USER = "shopsight"

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_ACL_ENTRY = "<HHI"
_NO_ID = 0xFFFFFFFF
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_PASS = 0x01


@dataclass(frozen=True)
class Account:
    """A user whom root runs the servers as."""

    name: str
    uid: int
    gid: int

    @property
    def subprocess_options(self) -> dict[str, Any]:
        """What :func:`subprocess.run` needs to become this user and nothing more."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, *paths: Path) -> None:
        """Hand files or folders over to this user.

        Raises:
            WorkspaceError: the file system knows no owners.
        """
        for path in paths:
            with translated_disk_errors(path):
                os.chown(path, self.uid, self.gid)

    def let_pass(self, path: Path) -> None:
        """Let this user get to ``path`` through the folders above it.

        Raises:
            WorkspaceError: a folder is closed and its file system has no access lists.
        """
        for folder in reversed(path.resolve().parents):
            if not self._may_pass(folder):
                self._add_entry(folder)

    def let_execute(self, program: Path) -> None:
        """Let this user execute a program of this environment, and read the libraries and files around it.

        Raises:
            WorkspaceError: see :meth:`let_pass`.
        """
        self.let_pass(program)
        home = program.parent.parent
        if program.stat().st_mode & 0o005 == 0o005 and home.stat().st_mode & 0o005 == 0o005:
            return
        # Installed under a strict umask; these are public programs.
        for path in (home, *home.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | 0o044 | (0o011 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0))

    def _may_pass(self, folder: Path) -> bool:
        info = folder.stat()
        if info.st_uid == self.uid:
            return bool(info.st_mode & stat.S_IXUSR)
        if info.st_gid == self.gid:
            return bool(info.st_mode & stat.S_IXGRP)
        return bool(info.st_mode & stat.S_IXOTH)

    def _add_entry(self, folder: Path) -> None:
        entries = [entry for entry in _read_acl(folder) if entry[:1] + entry[2:] != (_USER, self.uid)]
        entries.append((_USER, _PASS, self.uid))
        mask = next((perms for tag, perms, _ in entries if tag == _MASK), None)
        if mask is None:
            mask = next(perms for tag, perms, _ in entries if tag == _GROUP_OBJ)
        entries = [entry for entry in entries if entry[0] != _MASK] + [(_MASK, mask | _PASS, _NO_ID)]
        raw = struct.pack("<I", _ACL_VERSION) + b"".join(
            struct.pack(_ACL_ENTRY, *e) for e in sorted(entries, key=_order)
        )
        try:
            os.setxattr(folder, _ACL, raw)
        except (OSError, AttributeError) as error:
            raise WorkspaceError(
                f"The embedded servers run as the user {self.name!r}, who may not pass through {folder}.",
                remedy=f"Run as an ordinary user, give another folder with --workdir, or: chmod o+x {folder}",
            ) from error


def server_account(data: Path) -> Account | None:
    """The user to run a server as, who owns or will own ``data``; None for whoever runs this process."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return _account_of(pwd.getpwuid(owner))
    try:
        return _account_of(pwd.getpwnam(USER))
    except KeyError:
        pass
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],
            capture_output=True,
            check=False,  # two at once: the second finds the user made
        )
    try:
        return _account_of(pwd.getpwnam(USER))
    except KeyError:
        return _account_of(pwd.getpwnam("nobody"))


def _account_of(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    """The kernel wants the entries by tag, named users by id."""
    return entry[0], entry[2]


def _read_acl(folder: Path) -> list[tuple[int, int, int]]:
    """The folder's access list as (tag, permissions, id); made from its mode when it has none."""
    try:
        raw = os.getxattr(folder, _ACL)
        return list(struct.iter_unpack(_ACL_ENTRY, raw[4:]))
    except (OSError, AttributeError):
        mode = folder.stat().st_mode
        return [
            (_USER_OBJ, mode >> 6 & 7, _NO_ID),
            (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
            (_OTHER, mode & 7, _NO_ID),
        ]
