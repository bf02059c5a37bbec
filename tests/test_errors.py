"""The error tree: what is retried, how errors end the program, and that none carries a credential."""

from __future__ import annotations

import pickle
import time
from decimal import Decimal

import pytest

from shopsight import errors
from shopsight.errors import (
    ConfigurationError,
    DataQualityError,
    ExitCode,
    LeaseHeld,
    LeaseLost,
    ProofBroken,
    PublishError,
    SchemaMismatch,
    ShopsightError,
    ShrinkRefused,
    SourceError,
    SourceUnavailable,
    TargetUnavailable,
    WorkspaceError,
    is_retryable,
)
from shopsight.errors.redaction import redact


def all_errors(root: type[ShopsightError] = ShopsightError) -> list[type[ShopsightError]]:
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [root, *(kind for child in children for kind in all_errors(child))]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawing = (errors.__doc__ or "").split("::\n\n", 1)[1].split("\n\n", 1)[0]
    drawn = {
        line.lstrip(" │├└─").split()[0]: len(line) - len(line.lstrip(" │├└─"))
        for line in drawing.splitlines()
    }
    depth = {
        kind.__name__: 4 + 3 * (len(kind.__mro__) - len(ShopsightError.__mro__)) for kind in all_errors()
    }
    assert drawn == depth


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_survives_pickling(kind: type[ShopsightError]) -> None:
    error = kind("orders: bad", remedy="mend it", stage="clean", run_id="r1")
    error.__cause__ = ValueError("driver")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == "orders: bad"
    assert copy.as_document() == {
        "type": kind.__name__,
        "message": "orders: bad",
        "remedy": "mend it",
        "stage": "clean",
        "run_id": "r1",
    }


def test_a_subclass_s_fields_survive_pickling() -> None:
    broken = pickle.loads(pickle.dumps(ProofBroken.between("1", "orders rows", 3, 2)))
    assert (broken.link, broken.what, broken.expected, broken.found) == ("1", "orders rows", 3, 2)


@pytest.mark.parametrize(
    ("kind", "retried"),
    [
        (ShopsightError, False),
        (ConfigurationError, False),
        (SourceError, False),
        (SourceUnavailable, True),
        (SchemaMismatch, False),
        (WorkspaceError, False),
        (DataQualityError, False),
        (ProofBroken, False),
        (PublishError, False),
        (TargetUnavailable, True),
        (LeaseHeld, False),
        (LeaseLost, False),
        (ShrinkRefused, False),
    ],
)
def test_only_servers_that_do_not_answer_are_tried_again(kind: type[ShopsightError], retried: bool) -> None:
    assert is_retryable(kind("x")) is retried


@pytest.mark.parametrize("error", [OSError("x"), ValueError("x"), TimeoutError(), KeyboardInterrupt()])
def test_an_unknown_error_is_not_retried(error: BaseException) -> None:
    assert is_retryable(error) is False


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ShopsightError, 1),
        (SourceUnavailable, 1),
        (SchemaMismatch, 1),
        (TargetUnavailable, 1),
        (WorkspaceError, 1),
        (ConfigurationError, 2),
        (DataQualityError, 3),
        (ProofBroken, 3),
        (LeaseHeld, 3),
        (LeaseLost, 3),
        (ShrinkRefused, 3),
    ],
)
def test_exit_codes(kind: type[ShopsightError], code: int) -> None:
    assert kind("x").exit_code is ExitCode(code)


def test_an_error_gets_its_stage_and_run_once() -> None:
    error = SourceUnavailable("gone", stage="extract").located("publish", "r1").located("clean", "r2")
    assert (error.stage, error.run_id) == ("extract", "r1")


def test_a_missing_column_names_the_nearest_one() -> None:
    error = SchemaMismatch.missing("column", ["total_amount"], ["total_amout", "id"], where="orders")
    assert "orders: column 'total_amount' is missing; found id, total_amout." in str(error)
    assert "Did you mean 'total_amout'?" in str(error)


def test_a_missing_table_in_an_empty_schema_guesses_nothing() -> None:
    error = SchemaMismatch.missing("table", ["orders"], [], where="schema shop")
    assert "found nothing." in str(error)
    assert "Did you mean" not in str(error)


def test_a_broken_proof_shows_both_figures_and_the_difference() -> None:
    error = ProofBroken.between("2", "orders.total_amount", Decimal("10.00"), Decimal("9.99"))
    assert "should be 10.00 and is 9.99; the difference is -0.01" in str(error)
    assert "difference" not in str(ProofBroken.between("2", "orders.total_amount", Decimal("10.00"), None))


SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://ann:s3cret@db:5432/shop", "postgresql://***@db:5432/shop"),
        ("'postgresql://ann:s3cret@db/shop' is down", "'postgresql://***@db/shop' is down"),
        ("mongodb+srv://ann:s3cret@h/?a=b", "mongodb+srv://***@h/?a=b"),
        ("mongodb://ann:s3cret@h1:1,h2:2/x", "mongodb://***@h1:1,h2:2/x"),
        ("postgresql+psycopg://ann:s3cret@db/shop", "postgresql+psycopg://***@db/shop"),
        ("postgresql://:s3cret@/shop?host=%2Ftmp", "postgresql://***@/shop?host=%2Ftmp"),
        ("postgresql://ann:s3cret%40x@db/shop", "postgresql://***@db/shop"),
        ("postgresql://ann:x@s3cret@db/shop", "postgresql://***@db/shop"),
        ("postgresql://ann:x:s3cret@db/shop", "postgresql://***@db/shop"),
        ("postgresql://ann:x/s3cret@db/shop", "postgresql://***@db/shop"),
        ("postgresql://ann:x%s3cret@db/shop", "postgresql://***@db/shop"),
        ("postgresql://ann:x?#s3cret@db/shop", "postgresql://***@db/shop"),
        ('postgresql://ann:x"s3cret@db/shop', "postgresql://***@db/shop"),
        ("postgresql://ann:my s3cret@db/shop failed", "postgresql://***@db/shop failed"),
        ("see postgresql%3A%2F%2Fann%3As3cret%40db%2Fx", "see postgresql%3A%2F%2F***%40db%2Fx"),
        (
            "postgresql://db/shop?user=ann&password=s3cret&a=b",
            "postgresql://db/shop?user=ann&password=***&a=b",
        ),
        (
            "mongodb://h/?tlsCertificateKeyFilePassword=s3cret",
            "mongodb://h/?tlsCertificateKeyFilePassword=***",
        ),
        ("host=db user=ann password=s3cret dbname=shop", "host=db user=ann password=*** dbname=shop"),
        ("host=db password = 's3 s3cret' dbname=shop", "host=db password = *** dbname=shop"),
        (r"password='it\'s s3cret' dbname=shop", "password=*** dbname=shop"),
        ("password='it''s s3cret' dbname=shop", "password=*** dbname=shop"),
        ("password=x&s3cret dbname=shop", "password=*** dbname=shop"),
        ("password=x's3cret dbname=shop", "password=*** dbname=shop"),
        ("sslpassword=s3cret", "sslpassword=***"),
        ("PASSWORD=s3cret", "PASSWORD=***"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        ("mongosh --password s3cret", "mongosh --password ***"),
        ("{'user': 'ann', 'password': 's3 s3cret'}", "{'user': 'ann', 'password': '***'}"),
        ('{"pwd":"s3\\"s3cret","a":1}', '{"pwd":"***","a":1}'),
        ('{"url": "h?password=s3cret", "a": 1}', '{"url": "h?password=***", "a": 1}'),
        (
            "post to https://hooks.slack.com/services/T0/B0/s3cret now",
            "post to https://hooks.slack.com/*** now",
        ),
    ],
)
def test_credentials_are_hidden_and_the_rest_is_kept(text: str, hidden: str) -> None:
    assert redact(text) == hidden
    assert redact(hidden) == hidden
    error = ShopsightError(text, remedy=text)
    assert SECRET not in f"{error} {error!r} {error.as_document()} {pickle.dumps(error)!r}"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db:5432/shop does not answer; ask ann@work",
        'the password is wrong: FATAL: password authentication failed for user "ann"',
        "source_password: Field required",
        "fencing token=5 is stale",
        "sqlite:///home/ann@work/shop.db",
        "total_amount should be 10.00 and is 9.99",
    ],
)
def test_text_without_a_credential_is_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ('invalid input syntax: "ann.b+c@example.org"', 'invalid input syntax: "***@example.org"'),
        ("(bob@shop.example, ann@example.org)", "(***@shop.example, ***@example.org)"),
    ],
)
def test_address_that_a_database_quotes_is_hidden(text: str, hidden: str) -> None:
    assert redact(text) == hidden
    assert redact(hidden) == hidden
    assert ShopsightError(text).message == hidden


def test_hostile_text_does_not_keep_the_hiding_busy() -> None:
    for text in ("a." * 50_000, "a" * 100_000, "password=" * 10_000, "x://" * 20_000, "'" * 100_000):
        started = time.process_time()
        redact(text)
        assert time.process_time() - started < 2
