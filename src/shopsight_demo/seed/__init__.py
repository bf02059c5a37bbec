"""A made-up shop, loaded into a SQL database.

In: a size, a share of dirt and a seed (:func:`seed`; :class:`MadeShop` without a database). Out: the six
source tables in PostgreSQL, MySQL, MariaDB or SQLite.
"""

from shopsight_demo.seed.generate import MadeShop
from shopsight_demo.seed.load import SeedReport, TablesExist, seed
from shopsight_demo.seed.schemas import Types
from shopsight_demo.seed.size import DEFAULT_END_DATE, Recipe, ShopSize

__all__ = [
    "DEFAULT_END_DATE",
    "MadeShop",
    "Recipe",
    "SeedReport",
    "ShopSize",
    "TablesExist",
    "Types",
    "seed",
]
