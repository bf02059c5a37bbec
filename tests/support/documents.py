"""A page of the documentation, whose commands are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Document:
    """A page in Markdown."""

    path: Path

    def blocks(self, kind: str) -> list[str]:
        """The blocks of code of one kind, such as ``sh tried``."""
        return re.findall(rf"^```{kind}\n(.*?)^```", self.path.read_text(), flags=re.MULTILINE | re.DOTALL)

    def run(self, script: str, **environment: str) -> str:
        """What a script prints, run by bash in the working directory with this environment's commands."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": path, **environment},
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout
