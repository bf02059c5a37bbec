"""Categories and products: names, categories, and the category of those without."""

from functools import partial

from tests.support.cleaning import cleaned as cleaned_shop

cleaned = partial(cleaned_shop, last_table="products")

ADDED = "categories.uncategorised_added"


def test_a_category_without_a_name_is_kept_under_a_placeholder() -> None:
    outcome = cleaned(categories=[(1, "Books"), (2, None), (3, " \u200b ")])
    assert outcome.kept("categories") == [(1, "Books"), (2, "Unknown category 2"), (3, "Unknown category 3")]
    assert outcome.repairs("categories") == [
        (2, "categories.name_missing", None, "Unknown category 2"),
        (3, "categories.name_missing", " \u200b ", "Unknown category 3"),
    ]


def test_category_names_are_tidied() -> None:
    outcome = cleaned(categories=[(1, " Books  and\tToys ")])
    assert outcome.kept("categories") == [(1, "Books and Toys")]
    assert outcome.repairs("categories") == [
        (1, "categories.name_tidied", " Books  and\tToys ", "Books and Toys")
    ]


def test_categories_without_a_readable_key_are_rejected() -> None:
    outcome = cleaned(
        categories=[("1", "Books"), (None, "Toys"), ("", "Games"), ("x", "Films")],
        as_text=["category_id"],
    )
    assert outcome.kept("categories") == [(1, "Books")]
    assert outcome.rejected("categories") == [
        ("", "categories.key_missing"),
        ("x", "categories.unreadable_value"),
        (None, "categories.key_missing"),
    ]


def test_identical_categories_are_merged_and_conflicting_ones_rejected() -> None:
    outcome = cleaned(categories=[(1, "Books"), (1, " Books"), (1, "Albums")])
    assert outcome.kept("categories") == [(1, "Books")]
    assert outcome.merged("categories") == [(1, 1, "categories.identical_row")]
    assert outcome.rejected("categories") == [(1, "categories.duplicate_key")]


def test_products_without_name_or_category_are_kept() -> None:
    outcome = cleaned(products=[(1, "Atlas", 1), (2, None, None), (3, " ", 99)])
    assert outcome.kept("products") == [
        (1, "Atlas", 1),
        (2, "Unknown product 2", 0),
        (3, "Unknown product 3", 0),
    ]
    assert outcome.repairs("products") == [
        (2, "products.category_missing", None, "0"),
        (2, "products.name_missing", None, "Unknown product 2"),
        (3, "products.category_unknown", "99", "0"),
        (3, "products.name_missing", " ", "Unknown product 3"),
    ]
    assert outcome.kept("categories") == [(0, "Uncategorised"), (1, "Books")]
    assert outcome.repairs("categories") == [(0, ADDED, None, "Uncategorised")]


def test_no_category_is_added_when_no_kept_product_needs_it() -> None:
    outcome = cleaned(
        products=[("1", "Atlas", "1"), ("x", "Globe", None)], as_text=["product_id", "category_id"]
    )
    assert outcome.kept("categories") == [(1, "Books")]
    assert outcome.repairs("categories") == []


def test_a_category_0_of_the_shops_own_is_not_taken_for_products_without() -> None:
    outcome = cleaned(categories=[(0, "Books"), (-1, "Toys")], products=[(1, "Atlas", 0), (2, "Globe", None)])
    assert outcome.kept("products") == [(1, "Atlas", 0), (2, "Globe", -2)]
    assert outcome.kept("categories") == [(-2, "Uncategorised"), (-1, "Toys"), (0, "Books")]
    assert outcome.repairs("categories") == [(-2, ADDED, None, "Uncategorised")]


def test_an_uncategorised_category_that_is_there_is_used() -> None:
    outcome = cleaned(categories=[(0, "uncategorized")], products=[(1, "Atlas", None), (2, "Globe", 0)])
    assert outcome.kept("categories") == [(0, "uncategorized")]
    assert outcome.kept("products") == [(1, "Atlas", 0), (2, "Globe", 0)]
    assert outcome.repairs("categories") == []


def test_a_product_in_category_0_that_is_not_there_stays_and_the_category_is_added() -> None:
    outcome = cleaned(products=[(1, "Atlas", 0)])
    assert outcome.kept("products") == [(1, "Atlas", 0)]
    assert outcome.repairs("products") == []
    assert outcome.kept("categories") == [(0, "Uncategorised"), (1, "Books")]


def test_product_names_are_tidied() -> None:
    outcome = cleaned(products=[(1, "\x00Atlas \u202e", 1)])
    assert outcome.kept("products") == [(1, "Atlas", 1)]
    assert outcome.repairs("products") == [(1, "products.name_tidied", "\x00Atlas \u202e", "Atlas")]


def test_products_that_cannot_be_read_are_rejected() -> None:
    outcome = cleaned(
        products=[("1", "Atlas", "1"), (None, "Globe", "1"), ("3", "Map", "one")],
        as_text=["product_id", "category_id"],
    )
    assert outcome.rejected("products") == [
        ("3", "products.unreadable_value"),
        (None, "products.key_missing"),
    ]


def test_conflicting_products_keep_the_greatest_category_then_name() -> None:
    outcome = cleaned(
        categories=[(1, "Books"), (2, "Toys")],
        products=[(1, "Zebra", 1), (1, "Atlas", 2), (1, "Globe", 2), (1, "Globe", 2), (1, "Globe", 2)],
    )
    assert outcome.kept("products") == [(1, "Globe", 2)]
    assert outcome.merged("products") == [(1, 1, "products.identical_row")] * 2
    assert outcome.rules("products") == ["products.duplicate_key"] * 2


def test_a_missing_or_an_empty_name_stays_regardless_of_row_order() -> None:
    rows = [(1, None, 1), (1, "", 1)]
    repairs = [cleaned(products=order).repairs("products") for order in (rows, rows[::-1])]
    assert repairs[0] == repairs[1]
    assert len(repairs[0]) == 1
