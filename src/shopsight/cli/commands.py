"""All commands: they are known to the application once their modules are imported."""

from shopsight.cli import databases, reading, running, tracing
from shopsight.cli.application import app

__all__ = ["app", "databases", "reading", "running", "tracing"]
