"""What people would use instead, each written as its own users would write it well.

Each module is a program of its own: it runs in the peers' environment (``.venv-bench``), takes its addresses
from :mod:`benchmarks.peers.task`, and imports nothing of shopsight.
"""
