"""Made-up shops, small and dirty: every kind of dirt that docs/definitions.md names, in one or another.

A shop is made clean, then dirt is put into it, and at last the columns that the database has as text are
written as people write values. One seed, one shop.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.reference.table import COLUMNS, OPTIONAL, Cell

D = Decimal
Rows = list[list[Any]]

NAMES = ["Ann", "Bo Li", "Ça va", "O'Hara", "👩‍👩‍👧 Co", "ann", "Zoë"]
COUNTRIES = ["Germany", "United States", "Netherlands", "Côte d'Ivoire", "Atlantis"]
STATUSES = ["completed", "completed", "completed", "shipped", "cancelled", "refunded"]
#: Few amounts, so that customers, months and countries tie.
AMOUNTS = [D("10.00"), D("20.00"), D("20.00"), D("9.99"), D("0.01"), D("0.00"), D("123.45")]

#: By column, or by kind, what stands there instead of a sound value.
DIRT: dict[str, list[Cell]] = {
    "number": [None, 999, 0, -1, 2**63 - 1],
    "name": [
        *(None, "", "  ", " Ann\t Lee ", "Bo\u200b", "\u202eevil", "\u00adBo\u3000L"),
        *("x" * 10_000, "y" * 10_001),
    ],
    "email": [
        *(None, " ", "XXXXXXXXX", "x*#@x.xx", "ann@example", "ann@-example.com", "a..b@example.com"),
        *("ann@example.c", "a b@example.com", '"a"@example.com', "JÖRG@müller.de", "o'hara@my-shop.com"),
        *("ann@example.1com", f"{'a' * 243}@example.com", f"{'a' * 242}@example.com", "ann@x1.museum"),
    ],
    "country": [
        *(None, "", "DE", "deutschland", " usa ", "U.S.A.", "The Netherlands", "Cote d'Ivoire", "CIV"),
        *("Zaire", "  Middle\u00a0 Earth", "z" * 10_001, "unknown"),
    ],
    "status": [
        *(None, " ", "Completed ", "canceled", "CANCELLED", "ship\u200bped", "Refunded", "unavailable"),
        *("s" * 100, "s" * 101, "Unknown"),
    ],
    "currency": [None, " ", " eur", "Eur\u200b", "usd", " JPY "],
    "date": [
        *(None, date(1970, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(1, 1, 1)),
        date(9999, 12, 31),
    ],
    "amount": [
        *(None, D("-5.00"), D("-0.05"), D("0.00"), D(10) ** 12, D(10) ** 12 - D("0.01"), -(D(10) ** 12)),
    ],
    "quantity": [None, 0, -1, 10_000_000, 10_000_001, -10_000_001, 10**10, -(10**10)],
    "rating": [None, 0, 6, -1, 10**17, 10**18],
}
FRACTIONS: list[Cell] = [D("0.005"), D("2.675"), D("-0.005"), D("9.994"), D("1.23456"), D("19.9950")]
UNREADABLE: dict[str, list[str]] = {
    "number": ["x", "42.5", " -.50", "1,000", "1e5", "9223372036854775808", "--1", "4 2", "٣"],
    "amount": ["1,234.50", "$5", "5 €", "1e5", "NaN", "12,50", ".", "1000000000000000"],
    "date": [
        *("31/01/2024", "2024-02-30", "2023-02-29", "infinity", "0000-01-01", "2024-1-5", "soon"),
        *("2024-01-31T25:00", "2024-01-31T10:00+99"),
    ],
}


#: The times of day of moments.
MOMENTS = ["T10:00:00Z", " 23:59:59.999+05:30", "T00:15-0800", " 20:00 Z", " 03:30:00+00"]


@dataclass(frozen=True)
class MadeShop:
    """A shop as its database has it.

    Attributes:
        rows: by table.
        types: by table and column, the SQL type where it is not that of the column's kind.
    """

    rows: dict[str, Rows]
    types: dict[str, dict[str, str]]


def make_shop(seed: int, today: date, *, all_text: bool) -> MadeShop:
    chance = random.Random(seed)
    maker = _Maker(chance, today, has_fractions=chance.random() < 0.5)
    rows = maker.clean_shop()
    for table, some in rows.items():
        maker.make_dirty(table, some)
        maker.repeat_rows(table, some)
        if chance.random() < 0.05 or seed == 0:
            some.clear()
        chance.shuffle(some)
    types: dict[str, dict[str, str]] = {table: {} for table in COLUMNS}
    types["orders"] = dict.fromkeys(OPTIONAL, "text")
    for table, kinds in COLUMNS.items():
        for place, (name, kind) in enumerate(kinds.items()):
            if kind != "text" and (all_text or chance.random() < 0.15):
                types[table][name] = "text"
                for row in rows[table]:
                    row[place] = maker.written(kind, row[place])
            elif kind == "date" and chance.random() < 0.5:
                # One time of day, as two moments of a day are the same once extracted, and not as text.
                types[table][name], time = "timestamptz", chance.choice(MOMENTS)
                for row in rows[table]:
                    row[place] = row[place] and f"{row[place]}{time}"
            elif kind == "amount":
                types[table][name] = "numeric" if maker.has_fractions else "numeric(16,2)"
    return MadeShop(rows, types)


class _Maker:
    def __init__(self, chance: random.Random, today: date, *, has_fractions: bool) -> None:
        self.chance = chance
        self.today = today
        self.has_fractions = has_fractions

    def clean_shop(self) -> dict[str, Rows]:
        chance = self.chance
        pick = chance.choice
        categories = range(1, chance.randint(3, 12))
        products = range(1, chance.randint(4, 20))
        customers = range(1, chance.randint(20, 60))
        orders = range(1, chance.randint(30, 120))
        items = [(order, pick(products)) for order in orders for _ in range(chance.randint(0, 4))]
        reviews = range(1, chance.randint(20, 80))
        shop: dict[str, Rows] = {
            "categories": [[n, pick(NAMES)] for n in categories],
            "products": [[n, pick(NAMES), pick(categories)] for n in products],
            "customers": [[n, pick(NAMES), f"user{n}@example.com", pick(COUNTRIES)] for n in customers],
            "orders": [
                [
                    n,
                    pick(customers),
                    self.day(),
                    pick(AMOUNTS),
                    pick(STATUSES),
                    "EUR",
                    self.address(customers),
                ]
                for n in orders
            ],
            "order_items": [
                [n, *item, chance.randint(1, 3), pick(AMOUNTS)] for n, item in enumerate(items, 1)
            ],
            "reviews": [
                [n, pick(products), pick(customers), chance.randint(1, 5), self.day()] for n in reviews
            ],
        }
        # A category of the shop's own in the place of Uncategorised, and one that is Uncategorised.
        for number, name in ((0, "Sale"), (0, "uncategorized"), (-1, "Old"), (-1, "Uncategorised")):
            if chance.random() < 0.15:
                shop["categories"].append([number, name])
        # The averages of two customers end in half a cent.
        for customer, cents in ((1001, 5), (1002, chance.choice([7, 999, -5]))):
            shop["customers"].append([customer, "Half", f"half{customer}@example.com", "Germany"])
            for n in range(2):
                amount = D(cents // 2 + n * (cents % 2)) / 100
                shop["orders"].append(
                    [2 * customer + n, customer, self.day(), amount, "completed", "EUR", None]
                )
        return shop

    def day(self) -> date:
        return self.today - timedelta(days=self.chance.randrange(300))

    def address(self, customers: range) -> str:
        """Of a customer or of somebody else."""
        guest = f"guest{self.chance.randint(1, 9)}@example.com"
        return self.chance.choice([f"user{self.chance.choice(customers)}@example.com", guest])

    def make_dirty(self, table: str, rows: Rows) -> None:
        share = self.chance.choice([0, 0.2, 0.4]) * (2 if len(rows) < 20 else 1)
        for row in rows:
            if self.chance.random() < share:
                place = self.chance.randrange(len(row))
                name = [*COLUMNS[table]][place]
                row[place] = self.chance.choice(self.dirt(name, COLUMNS[table][name]))
        if table == "orders":
            # Totals worked out from items that may be dirty themselves.
            for row in self.chance.sample(rows, len(rows) // 8):
                row[3] = None
            for row in self.chance.sample(rows, len(rows) // 5):
                row[1] = self.chance.choice([None, None, 999, -row[0] if row[0] else None])
        if table == "customers":
            for row in self.chance.sample(rows, len(rows) // 8):
                other = self.chance.choice(rows)[2] or "ann@example.com"
                row[2] = self.chance.choice([other, f" {other}".upper(), f"{other}\u200b"])
        if table == "reviews":
            # The same customer, product and day again.
            for row in self.chance.sample(rows, len(rows) // 8):
                other = self.chance.choice(rows)
                row[1:3], row[4] = other[1:3], other[4]

    def dirt(self, column: str, kind: str) -> list[Cell]:
        if kind == "date":
            return [*DIRT["date"], self.today, self.today + timedelta(days=1)]
        if kind == "amount" and self.has_fractions:
            return DIRT["amount"] + FRACTIONS
        column = "email" if column == "customer_email" else column
        return DIRT["name"] if column.endswith("name") else DIRT[column if column in DIRT else kind]

    def repeat_rows(self, table: str, rows: Rows) -> None:
        """Rows that share a key: the same again, or with one column of another row or none."""
        for row in self.chance.sample(rows, -(-len(rows) // self.chance.choice([6, 20]))):
            again = list(row)
            place = self.chance.randrange(len(row))
            match self.chance.choice(["same", "other", "none", "blank"]):
                case "other" if place > 0:
                    again[place] = self.chance.choice(rows)[place]
                case "none" if place > 0:
                    again[place] = None
                case "blank" if COLUMNS[table][[*COLUMNS[table]][place]] == "text" and again[place]:
                    again[place] = f" {again[place]}\u200b"
            rows.append(again)

    def written(self, kind: str, value: Any) -> str | None:
        chance = self.chance.random()
        if chance < 0.03:
            return self.chance.choice(UNREADABLE[kind])
        if value is None:
            return self.chance.choice([None, "", " \u200b"])
        plain = f"{value:f}" if isinstance(value, Decimal) else str(value)
        return plain if chance < 0.8 else self.chance.choice(self.spellings(kind, plain))

    @staticmethod
    def spellings(kind: str, plain: str) -> list[str]:
        blanks = [f" {plain} ", f"\u00a0{plain}\t", f"{plain}\u200b"]
        if kind == "date":
            return [*blanks, f"{plain} 00:00", *(plain + moment for moment in MOMENTS)]
        sign = [f"+{plain}", f"00{plain}"] if plain[0] != "-" else []
        if kind == "number":
            return [*blanks, *sign, f"{plain}.0", f"{plain}."]
        bare = [plain.replace("0.", ".", 1)] if plain.startswith(("0.", "-0.")) else []
        whole = [plain.replace(".00", "."), plain.replace(".00", "")] if plain.endswith(".00") else []
        return [*blanks, *sign, *bare, *whole, f"{plain}000" if "." in plain else plain]
