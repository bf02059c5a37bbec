"""All commands: importing the modules that declare them adds them to the application.

Other packages add commands by the entry point group ``shopsight.commands``, as ``shopsight_demo`` does: each
entry point names a module that declares commands on :data:`shopsight.cli.application.app`.
"""

from importlib.metadata import entry_points

from shopsight.cli import databases, own_insight, reading, running, tracing
from shopsight.cli.application import app

__all__ = ["app", "databases", "own_insight", "reading", "running", "tracing"]

for entry_point in entry_points(group="shopsight.commands"):
    entry_point.load()
