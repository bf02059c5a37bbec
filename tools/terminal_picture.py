"""docs/images/demo.svg: the demo's own output on a terminal, up to the addresses of its databases.

.venv/bin/python tools/terminal_picture.py
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "demo.svg"
COLUMNS = 80
COMMAND = ".venv/bin/shopsight"


def main() -> None:
    """Run the demo, and draw what it printed."""
    printed = on_a_terminal(COMMAND, "demo")
    shown = [f"$ {COMMAND} demo", *printed.partition(f"{COMMAND} up")[0].rstrip().splitlines()]
    console = Console(width=COLUMNS, record=True, file=io.StringIO())
    for line in shown:
        console.print(Text.from_ansi(line))
    drawn = console.export_svg(title="shopsight", unique_id="demo")
    # The picture loads no font from elsewhere.
    PICTURE.write_text(re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL))


def on_a_terminal(*command: str) -> str:
    """What a command writes on stdout if that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=sys.stderr, env=environment)
    os.close(theirs)
    printed = b""
    while True:
        try:
            printed += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    if process.wait():
        sys.exit("The demo failed.")
    return printed.decode()


if __name__ == "__main__":
    main()
