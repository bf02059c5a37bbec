"""Every error that shopsight raises on purpose.

::

    ShopsightError                 stage, run_id, remedy; picklable; never a credential in a message
    ├─ ConfigurationError          wrong settings or usage; never retried
    ├─ SourceError
    │  ├─ SourceUnavailable        the SQL database does not answer; retried
    │  └─ SchemaMismatch           a table or column is not there, or cannot be read
    ├─ EngineUnavailable           Spark does not answer, or was lost in mid-run; retried
    ├─ WorkspaceError              the run's directory: disk full, a damaged file, a run that is gone
    ├─ DataQualityError            a table or a share of rejected rows beyond its limit
    ├─ ProofBroken                 which link, both figures, the difference
    ├─ RunInterrupted              the run did not come to its own end
    │  ├─ StageTimeout             a stage took longer than its limit and was stopped
    │  ├─ RunStopped               somebody stopped it: Ctrl-C, SIGTERM, a cancelled flow
    │  └─ RunCrashed               its process was killed, or its machine went down
    └─ PublishError
       ├─ TargetUnavailable        MongoDB does not answer; retried
       ├─ LeaseHeld                another run publishes: who, until when
       ├─ LeaseLost                this run was overtaken and may not publish
       ├─ SnapshotOutdated         what is served is younger than this run's snapshot
       ├─ SnapshotAhead            the snapshot is in the future by MongoDB's clock
       └─ ShrinkRefused            the new figures are suspiciously small

Driver errors are translated where they occur, ``raise … from`` the original. A message says where, what was
expected and what was found. The pipeline adds what is published and served, because only it knows.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

from shopsight.errors.redaction import redact

# A message lists no more names of tables or columns than this.
_MOST_NAMES = 20


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    CHANGES = 4


class ShopsightError(Exception):
    """The root of all errors that are meant for the user.

    Args:
        message: where, what was expected and what was found. Credentials are removed.
        remedy: what the reader can do about it, as a sentence.
        stage: the stage in which it happened; filled in by the pipeline when the raiser does not know.
        run_id: the run in which it happened; filled in the same way.
    """

    exit_code = ExitCode.FAILED
    is_retryable = False

    def __init__(
        self, message: str, *, remedy: str = "", stage: str | None = None, run_id: str | None = None
    ) -> None:
        self.message = redact(message)
        super().__init__(self.message)
        self.remedy = redact(remedy)
        self.stage = stage
        self.run_id = run_id
        self.state = ""

    def located(self, stage: str | None, run_id: str, state: str = "") -> Self:
        """The same error, knowing its stage and run (what is already known stays).

        Args:
            stage: the stage in which it happened.
            run_id: the run in which it happened.
            state: a sentence for the message on what is published and served; only the first one counts.
        """
        self.stage = self.stage or stage
        self.run_id = self.run_id or run_id
        if state and not self.state:
            self.state = state
            self.message = f"{self.message} {state}"
            self.args = (self.message,)
        return self

    def as_document(self) -> dict[str, Any]:
        """The error as it stands in ``pipeline_runs.error`` and in ``--json``."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "remedy": self.remedy,
            "stage": self.stage,
            "run_id": self.run_id,
        }


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """A question with the known name that is spelt most alike; empty if none is.

    >>> did_you_mean("top_custmers", ["top_products", "top_customers"]), did_you_mean("x", ["orders"])
    ('Did you mean top_customers?', '')
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else ""


def raise_together(errors: Sequence[ShopsightError]) -> None:
    """Raise all of several errors as one, or nothing if there is none.

    A first line that several remedies share is printed once.

    Raises:
        ShopsightError: names every failure; of the kind of the first that is not retried, else of the first.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        kind = type(min(errors, key=lambda error: error.is_retryable))
        remedies: dict[str, list[str]] = {}
        for remedy in dict.fromkeys(error.remedy for error in errors):
            first, *rest = remedy.split("\n", maxsplit=1)
            remedies.setdefault(first, [first]).extend(rest)
        remedy = "\n".join(line for lines in remedies.values() for line in lines)
        raise kind("\n".join(error.message for error in errors), remedy=remedy)


class ConfigurationError(ShopsightError):
    """Settings or usage are wrong; trying again cannot help."""

    exit_code = ExitCode.USAGE

    @classmethod
    def unknown(cls, kind: str, name: str, known: Iterable[str]) -> ConfigurationError:
        """The error for a name that is not among the known ones."""
        names = list(known)
        remedy = f"{did_you_mean(name, names)} There are {', '.join(names)}."
        return cls(f"There is no {kind} {name!r}.", remedy=remedy.lstrip())


class SourceError(ShopsightError):
    """The SQL database."""


class SourceUnavailable(SourceError):
    """The SQL database does not answer, or went away while it was read. Retried."""

    is_retryable = True


class SchemaMismatch(SourceError):
    """A table or column that the contract names is missing or cannot be read."""

    @classmethod
    def missing(
        cls,
        kind: str,
        expected: Sequence[str],
        found: Iterable[str],
        *,
        where: str,
        nearest: Sequence[str] | None = None,
        remedy: str = "",
    ) -> SchemaMismatch:
        """Tables or columns that are not there, with the nearest names that are.

        Args:
            kind: ``schema``, ``table`` or ``column``.
            expected: the names that are missing.
            found: the names that are there.
            where: the schema or table that was looked at.
            nearest: names that may be meant; by default those that are spelt alike.
            remedy: what to do; by default, to create what is missing.
        """
        names = sorted(found)
        if nearest is None:
            nearest = [near for name in expected for near in difflib.get_close_matches(name, names, n=1)]
        hint = f" Did you mean {' and '.join(map(repr, nearest))}?" if nearest else ""
        listed = ", ".join(names[:_MOST_NAMES]) if names else "nothing"
        if len(names) > _MOST_NAMES:
            listed += f" and {len(names) - _MOST_NAMES} more"
        missing = f"{kind} {expected[0]!r} is missing"
        if len(expected) > 1:
            missing = f"{kind}s {', '.join(map(repr, expected))} are missing"
        return cls(
            f"{where}: {missing}; found {listed}.{hint} Nothing was extracted.",
            remedy=remedy
            or f"Create the {kind}, or a view that has it under this name, or name another --source-schema.",
        )


class EngineUnavailable(ShopsightError):
    """Spark does not answer, or was lost in mid-run."""

    is_retryable = True


class WorkspaceError(ShopsightError):
    """The run's directory cannot be used: disk full, no permission, a damaged file, a run that is gone."""


class DataQualityError(ShopsightError):
    """A table, or the share of rejected rows, is beyond its limit."""

    exit_code = ExitCode.REFUSED


class ProofBroken(ShopsightError):
    """Two figures that must be equal are not.

    Attributes:
        link: which of the four links.
        what: the figure's name, e.g. ``orders.total_amount``.
        expected: the figure on the trusted side.
        found: the figure on the other side.
    """

    exit_code = ExitCode.REFUSED
    link: str = ""
    what: str = ""
    expected: Any = None
    found: Any = None

    @classmethod
    def between(cls, link: str, what: str, expected: Any, found: Any) -> ProofBroken:
        """The error for one broken equality."""
        try:
            difference = f"; the difference is {found - expected}"
        except TypeError:
            difference = ""
        error = cls(
            f"Proof {link} is broken: {what} should be {expected} and is {found}{difference}.",
            remedy="Keep the run's directory and run again; if it breaks again, report it with its document.",
        )
        error.link, error.what, error.expected, error.found = link, what, expected, found
        return error


class RunInterrupted(ShopsightError):
    """The run was interrupted. Its finished stages are kept."""


class StageTimeout(RunInterrupted):
    """A stage took longer than ``stage_timeout`` and was stopped. The next run tries again, not this one."""

    @classmethod
    def after(cls, stage: str, seconds: float, run_id: str) -> StageTimeout:
        """The error for one stage that was stopped."""
        return cls(
            f"{stage} took longer than {seconds:g} s and was stopped.",
            remedy="Look for a lock or a slow disk where the stage works, or raise stage_timeout.",
            stage=stage,
            run_id=run_id,
        )


class RunStopped(RunInterrupted):
    """Somebody stopped the run: Ctrl-C, SIGTERM, a cancelled flow run."""

    @classmethod
    def from_outside(cls, run_id: str | None = None) -> RunStopped:
        """The error for a run that was stopped."""
        return cls(
            "The run was stopped from outside.",
            remedy="`shopsight run --resume` continues after the last finished stage;"
            " `shopsight serve` starts again.",
            run_id=run_id,
        )


class RunCrashed(RunInterrupted):
    """The run's process was killed, or its machine went down."""

    @classmethod
    def because(cls, reason: str, *, stage: str | None, run_id: str) -> RunCrashed:
        """The error for a run whose process is gone."""
        return cls(
            f"The run's process is gone: {reason}.",
            remedy="The next run starts over by itself. If this happens again, look at the machine's memory"
            " (`journalctl -k | grep -i oom`).",
            stage=stage,
            run_id=run_id,
        )


class PublishError(ShopsightError):
    """MongoDB."""


class TargetUnavailable(PublishError):
    """MongoDB does not answer, or went away while it was written. Retried."""

    is_retryable = True


class LeaseHeld(PublishError):
    """Another run holds the lease."""

    exit_code = ExitCode.REFUSED


class LeaseLost(PublishError):
    """This run's lease expired and another run took it: it may not publish any more."""

    exit_code = ExitCode.REFUSED


class SnapshotOutdated(PublishError):
    """A younger snapshot is served already: publishing this one would take readers back in time."""

    exit_code = ExitCode.REFUSED


class SnapshotAhead(PublishError):
    """The snapshot is dated in the future: once served, it would keep out every later one."""

    exit_code = ExitCode.REFUSED


class ShrinkRefused(PublishError):
    """The new figures are so much smaller than the served ones that a person must allow publishing."""

    exit_code = ExitCode.REFUSED


def error_from_document(document: dict[str, Any]) -> ShopsightError:
    """The error that :meth:`ShopsightError.as_document` described, e.g. in another process.

    >>> error_from_document(TargetUnavailable("MongoDB is away").as_document()).is_retryable
    True
    """
    kinds = {kind.__name__: kind for kind in _tree(ShopsightError)}
    return kinds.get(document.get("type") or "", ShopsightError)(
        document["message"],
        remedy=document.get("remedy") or "",
        stage=document.get("stage"),
        run_id=document.get("run_id"),
    )


def _tree(kind: type[ShopsightError]) -> Iterator[type[ShopsightError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _tree(inner)


def defect(error: BaseException) -> ShopsightError:
    """The error for an exception that shopsight did not expect.

    >>> defect(KeyError("total")).message
    "KeyError: 'total'"
    """
    return ShopsightError(
        f"{type(error).__name__}: {error}",
        remedy="This is a defect of shopsight: please report it with what `shopsight --debug …` prints, and"
        " keep the run's directory.",
    )


def is_retryable(error: BaseException) -> bool:
    """Whether trying again can help; the one predicate of every orchestrator.

    Operating system errors are translated where they occur; anything unknown is
    a defect, and repeating a defect only delays its report.
    """
    return isinstance(error, ShopsightError) and error.is_retryable


@contextmanager
def translated_disk_errors(where: Path) -> Iterator[None]:
    """Turn the operating system's errors about a folder into one that says what to do.

    Raises:
        WorkspaceError: for a full disk, a read-only one, or missing permission.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(where, error) from error


def disk_error(where: Path, error: OSError) -> WorkspaceError:
    """The :class:`WorkspaceError` for an operating system error under ``where``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkspaceError(
            f"The disk that holds {where} is full.",
            remedy="Free some space, or give another folder with --workdir, then `shopsight run --resume`.",
        )
    return WorkspaceError(
        f"{where} cannot be used: {error.strerror or error}.",
        remedy="Check the folder's owner and permissions, or give another with --workdir.",
    )
