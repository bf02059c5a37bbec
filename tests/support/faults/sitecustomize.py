"""Lets a test hold a stage up in whatever process does it: for PYTHONPATH, with a FAULT_FOLDER.

The file ``stall.json`` there names stages and seconds, ``fail.json`` stages and how often they find MongoDB
away; the file ``at`` says which stage was begun last.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


class _Finder(MetaPathFinder):
    """Wraps the stages when their module is loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != "shopsight.pipeline.stages":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            for stage, work in list(module.STAGES.items()):
                module.STAGES[stage] = _held_up(stage, work)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _held_up(stage: str, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    from shopsight.errors import TargetUnavailable

    def held_up(run: Any) -> Any:
        folder = Path(os.environ["FAULT_FOLDER"])
        (folder / "at").write_text(stage)
        time.sleep(_read(folder / "stall.json").get(stage, 0))
        failures = _read(folder / "fail.json")
        if failures.get(stage, 0) > 0:
            (folder / "fail.json").write_text(json.dumps({**failures, stage: failures[stage] - 1}))
            raise TargetUnavailable("MongoDB is away, for this test.")
        return work(run)

    return held_up


def _read(path: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


if "FAULT_FOLDER" in os.environ:
    sys.meta_path.insert(0, _Finder())
