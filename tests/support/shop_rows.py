"""A literal shop: small enough to be worked out by hand, with a row of most sorts that cleaning meets."""

from __future__ import annotations

from decimal import Decimal

D = Decimal

SHOP = {
    "categories": [(1, "Books"), (2, "Games")],
    "products": [(10, "Atlas", 1), (11, "Chess", 2), (12, "Dice", None)],
    "customers": [
        (1, "Ann", "ann@example.com", "Germany"),
        (2, "Bob", "bob@example.com", "USA"),
        (3, "Cem", "XXXXXXXXX", "Atlantis"),
        (4, "Dora", "ANN@example.com ", "Germany"),
    ],
    "orders": [
        (100, 1, "2024-01-05", D("30.00"), "completed"),
        (101, 1, "2024-02-05", D("12.50"), "Completed "),
        (102, 2, "2024-02-07", D("99.99"), "cancelled"),
        (103, 4, "2024-03-01", D("7.25"), "shipped"),
        (104, 9, "2024-03-02", D("5.00"), "completed"),
        (105, 2, "2024-03-03", None, "completed"),
    ],
    "order_items": [
        (1000, 100, 10, 1, D("20.00")),
        (1001, 100, 11, 2, D("5.00")),
        (1002, 101, 12, 5, D("2.50")),
        (1003, 102, 10, 1, D("99.99")),
        (1004, 104, 10, 1, D("5.00")),
        (1005, 105, 11, 2, D("4.10")),
    ],
    "reviews": [(1, 10, 1, 5, "2024-01-20"), (2, 11, 2, 9, "2024-03-20"), (3, 11, 1, 4, "2024-03-20")],
}
#: Counting orders: 30.00 + 12.50 + 7.25 + 8.20 (repaired from its items); that of customer 9 is set aside.
REVENUE = D("57.95")
#: By customer, of whom 4 is merged into 1.
SPENT = {1: D("49.75"), 2: D("8.20"), 3: D("0.00")}
