"""What a command loads before it answers, and a Ctrl-C while it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from shopsight.cli import ALLOCATORS

#: What only some commands need, and what takes long to import.
HEAVY = {
    "adbc_driver_manager",
    "adbc_driver_postgresql",
    "bson",
    "jinja2",
    "narwhals",
    "numpy",
    "polars",
    "prefect",
    "psycopg",
    "pyarrow",
    "pymongo",
    "shopsight.pipeline.run",
    "shopsight.publish",
    "shopsight_demo.seed",
    "shopsight.pipeline.stages",
}

#: What a run needs none of.
NOT_FOR_RUN = {
    "jinja2",
    "prefect",
    "psycopg",
    "shopsight.inspect.doctor",
    "shopsight.inspect.explain",
    "shopsight_demo.seed",
}

_LOADED = """
import sys
from shopsight.cli import main
sys.argv[0] = "shopsight"
try:
    main()
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""

#: Says when a module is about to be imported, and then dawdles.
_DAWDLING = """
import os, sys, time
from importlib.abc import MetaPathFinder
module, said = sys.argv[1], int(sys.argv[2])
class Dawdler(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.write(said, b"here")
            time.sleep(60)
sys.meta_path.insert(0, Dawdler())
sys.argv[:3] = ["shopsight"]
from shopsight.cli import main
main()
"""


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    command = [sys.executable, "-c", _LOADED, *arguments]
    return set(subprocess.run(command, check=False, capture_output=True, text=True).stderr.splitlines())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"], ["explain", "--help"]])
def test_help_and_version_load_nothing_that_does_the_work(arguments: list[str]) -> None:
    loaded = loaded_by(*arguments)
    assert "shopsight.cli.running" in loaded
    assert loaded & HEAVY == set()


def test_a_run_loads_nothing_that_only_other_commands_need() -> None:
    source, target = "postgresql://nobody@127.0.0.1:1/x", "mongodb://127.0.0.1:1/"
    loaded = loaded_by("run", "--source", source, "--target", target, "--retries", "1", "--resume")
    assert "shopsight.pipeline.stages" in loaded
    assert loaded & NOT_FOR_RUN == set()


@pytest.mark.parametrize("module", ["typer", "structlog", "polars", "pymongo"])
def test_a_ctrl_c_while_modules_are_imported_ends_in_one_line(module: str) -> None:
    hears, says = os.pipe()
    started = subprocess.Popen(
        [sys.executable, "-c", _DAWDLING, module, str(says), "run"],
        pass_fds=[says],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(says)
    with os.fdopen(hears, "rb") as heard:
        assert heard.read(4) == b"here"
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, "")
    assert err.splitlines() == ["Stopped. No generation was published in part."]


#: What a parent hands down that has loaded Polars.
_OF_POLARS = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:500,muzzy_decay_ms:1000"}


@pytest.mark.parametrize("module", ["polars", "pyarrow"])
def test_the_allocators_are_set_before_what_reads_them_is_loaded(module: str) -> None:
    watched = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print(*(os.environ.get(name) for name in sorted(shopsight.cli.ALLOCATORS)), file=sys.stderr)
sys.meta_path.insert(0, Watch())
import shopsight.cli
sys.argv = ["shopsight", "run", "--source", "sqlite:///none.db"]
shopsight.cli.main()
"""
    told = subprocess.run(
        [sys.executable, "-c", watched], capture_output=True, text=True, check=False, env={}
    )
    assert told.stderr.splitlines()[0] == " ".join(value for _, value in sorted(ALLOCATORS.items()))


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["nonsense"], 2)])
def test_a_command_does_not_wait_for_what_runs_as_the_interpreter_ends(
    arguments: list[str], code: int
) -> None:
    program = "import atexit; from shopsight.cli import program; atexit.register(print, 'waited'); program()"
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True
    )
    assert ended.returncode == code
    assert "waited" not in ended.stdout
    assert (ended.stdout or ended.stderr).strip()
