"""Reviews: ratings, days, whom and what they are of."""

from datetime import date
from typing import Any

from tests.support.cleaning import TODAY, cleaned

DAY = date(2024, 2, 29)
TWINS = [(1, "Ann", "ann@example.com", "Germany"), (2, "Ann", "ANN@example.com", "Germany")]


def review(key: Any = 1, product: Any = 1, customer: Any = 1, rating: Any = 5, day: Any = DAY) -> Any:
    """One raw review, sound unless said otherwise."""
    return (key, product, customer, rating, day)


def test_unsound_reviews_are_rejected() -> None:
    expected = [
        (review(key=None), "key_missing"),
        (review(key=2, product=None), "product_missing"),
        (review(key=3, customer=None), "customer_missing"),
        (review(key=4, product=99), "product_unknown"),
        (review(key=5, customer=99), "customer_unknown"),
        (review(key=6, rating=None), "rating_missing"),
        (review(key=7, rating=0), "rating_out_of_range"),
        (review(key=8, rating=6), "rating_out_of_range"),
        (review(key=9, rating=-(10**17)), "rating_out_of_range"),
        (review(key=10, day=None), "date_missing"),
        (review(key=11, day=date(1969, 12, 31)), "date_before_1970"),
        (review(key=12, day=date(2024, 7, 1)), "date_in_future"),
    ]
    outcome = cleaned(reviews=[*(row for row, _ in expected), review(key=99, day=TODAY)])
    assert {row[0]: row for row in outcome.frame("rejected/reviews").rows()} == {
        row[0]: (*row, f"reviews.{rule}", row[3]) for row, rule in expected
    }
    assert outcome.kept("reviews") == [review(key=99, day=TODAY)]


def test_ratings_from_1_to_5_are_kept_and_measured_when_they_are_not() -> None:
    outcome = cleaned(reviews=[review(key=i, rating=i, day=date(2024, 1, i + 1)) for i in range(7)])
    assert [kept[3] for kept in outcome.kept("reviews")] == [1, 2, 3, 4, 5]
    assert outcome.measure("", "reviews") == 6


def test_a_rating_as_text_is_read_and_a_half_one_is_not() -> None:
    outcome = cleaned(reviews=[review(rating="4.0"), review(key=2, rating="4.5")], as_text=["rating"])
    assert outcome.kept("reviews") == [review(rating=4)]
    assert outcome.rejected("reviews") == [(2, "reviews.unreadable_value")]


def test_several_reviews_of_one_product_on_one_day_keep_the_greatest_id() -> None:
    outcome = cleaned(
        products=[(1, "Atlas", 1), (2, "Globe", 1)],
        reviews=[
            review(key=12, rating=1),
            review(key=9, rating=5),
            review(key=10, rating=3),
            review(key=13, rating=9),  # not sound, so it supersedes none
            review(key=14, product=2),
            review(key=15, day=date(2024, 3, 1)),
        ],
    )
    assert [kept[0] for kept in outcome.kept("reviews")] == [12, 14, 15]
    assert outcome.rejected("reviews") == [
        (10, "reviews.superseded"),
        (13, "reviews.rating_out_of_range"),
        (9, "reviews.superseded"),
    ]


def test_reviews_of_merged_customers_are_theirs_and_supersede_each_other() -> None:
    outcome = cleaned(
        customers=TWINS,
        reviews=[review(key=1, customer=1), review(key=2, customer=2), review(key=3, customer=2, day=TODAY)],
    )
    assert outcome.kept("reviews") == [review(key=2), review(key=3, day=TODAY)]
    assert outcome.repairs("reviews") == [
        (2, "reviews.customer_repointed", "2", "1"),
        (3, "reviews.customer_repointed", "2", "1"),
    ]
    assert outcome.rejected("reviews") == [(1, "reviews.superseded")]


def test_a_rejected_review_of_a_merged_customer_stands_as_it_was() -> None:
    outcome = cleaned(customers=TWINS, reviews=[review(customer=2, rating=9)])
    assert outcome.frame("rejected/reviews").select("customer_id", "rule").rows() == [
        (2, "reviews.rating_out_of_range")
    ]


def test_rows_of_a_rejected_product_are_rejected_with_it() -> None:
    products = [("1", "Atlas", "1"), ("2", "Globe", "none")]
    outcome = cleaned(
        products=products,
        order_items=[(1, 1, 2, 1, "1.00")],
        reviews=[review(product=2), review(key=2)],
        as_text=["category_id", "price"],
    )
    assert outcome.rules("products") == ["products.unreadable_value"]
    assert outcome.rejected("order_items") == [(1, "order_items.parent_rejected")]
    assert outcome.rejected("reviews") == [(1, "reviews.parent_rejected")]


def test_conflicting_reviews_keep_the_latest_then_best() -> None:
    outcome = cleaned(
        reviews=[review(rating=5, day=date(2024, 1, 1)), review(rating=2), review(rating=3), review(rating=3)]
    )
    assert outcome.kept("reviews") == [review(rating=3)]
    assert outcome.merged("reviews") == [(1, 1, "reviews.identical_row")]
    assert outcome.rules("reviews") == ["reviews.duplicate_key"] * 2
    assert outcome.measure("", "reviews") == 7
    assert outcome.measure("merged", "reviews") == 3
