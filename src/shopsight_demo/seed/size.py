"""The size of a made-up shop, and its share of dirt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shopsight.errors import ConfigurationError
from shopsight_demo.seed.dirt import Needs
from shopsight_demo.seed.schemas import Types

#: The shop's last day unless another is given: fixed, so that a seed means the same rows on every day.
DEFAULT_END_DATE = date(2025, 12, 31)

#: The number of orders in a block; a block's content depends on the seed and the block's number alone.
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class ShopSize:
    """The shop's size before dirt, which adds repeated rows and takes items away.

    Attributes:
        items_per_order: the mean; at least one each.
        reviews_per_order: the mean, about.
    """

    customers: int = 10_000
    orders: int = 100_000
    items_per_order: float = 3.0
    reviews_per_order: float = 0.4
    products: int = 2_000
    categories: int = 40

    def __post_init__(self) -> None:
        wrong = [
            f"{name} is {getattr(self, name)}, and at least {least} is needed"
            for name, least in (
                ("customers", 1),
                ("orders", 0),
                ("items_per_order", 1),
                ("reviews_per_order", 0),
                ("products", 1),
                ("categories", 1),
            )
            if not getattr(self, name) >= least
        ]
        if wrong:
            raise ConfigurationError(
                f"The shop's size cannot be made: {'; '.join(wrong)}.", remedy="Ask for greater numbers."
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that a shop's rows depend on: equal recipes give equal bytes.

    Attributes:
        dirt: the share of each table's rows that are dirty, between 0 and 1.
        end_date: the last day on which something was ordered; the first is three years before.
        constraints: whether the tables will have the shop's constraints: then only the dirt that they let
            through is made.
        types: whether keys, dates, amounts and counts are their own types or all text.
        nul: whether the database can hold NUL in text.
    """

    size: ShopSize
    dirt: float
    seed: int
    end_date: date = DEFAULT_END_DATE
    constraints: bool = False
    types: Types = Types.NATIVE
    nul: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.dirt <= 1:
            raise ConfigurationError(
                f"The share of dirt is {self.dirt}; it lies between 0 and 1.",
                remedy="0.05 is one row in twenty.",
            )
        if self.seed < 0:
            raise ConfigurationError(
                f"The seed is {self.seed}; it may not be negative.", remedy="Give 0 or more."
            )
        if self.constraints and self.types is Types.TEXT:
            raise ConfigurationError(
                "The shop's constraints cannot be put on columns of text.",
                remedy="Ask for constraints or for text, not both.",
            )

    @property
    def allowed(self) -> frozenset[Needs]:
        """The freedoms for dirt that the database gives."""
        allowed = {Needs.NOTHING}
        if not self.constraints:
            allowed.add(Needs.LOOSE)
        if self.types is Types.TEXT:
            allowed.add(Needs.TEXT)
        if self.nul:
            allowed.add(Needs.NUL)
        return frozenset(allowed)
