"""``python -m shopsight``: the ``shopsight`` command."""

from shopsight.cli import program

program()
