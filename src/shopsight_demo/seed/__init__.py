"""A shop made up on purpose, and literal rows, loaded into a SQL database.

In: a size, a share of dirt and a seed (:func:`seed`; :class:`MadeShop` without a database), or rows written
by hand (:func:`load_rows`). Out: the six source tables in PostgreSQL or SQLite. The pipeline does not import
this package; the demo, the tests and the benchmarks do.
"""

from shopsight_demo.seed.generate import MadeShop
from shopsight_demo.seed.load import SeedReport, TablesExist, seed
from shopsight_demo.seed.schemas import Types
from shopsight_demo.seed.size import DEFAULT_END_DATE, Recipe, ShopSize
from shopsight_demo.seed.tiny import load_rows

__all__ = [
    "DEFAULT_END_DATE",
    "MadeShop",
    "Recipe",
    "SeedReport",
    "ShopSize",
    "TablesExist",
    "Types",
    "load_rows",
    "seed",
]
