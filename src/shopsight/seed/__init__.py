"""A shop made up on purpose, and literal rows, loaded into a SQL database.

In: a size, a share of dirt and a seed (:func:`generate`, :func:`seed`), or rows written by hand
(:func:`load_rows`). Out: the six source tables in PostgreSQL or SQLite. The pipeline does not import this
package; the demo, the tests and the benchmarks do.
"""

from shopsight.seed.tiny import load_rows

__all__ = ["load_rows"]
