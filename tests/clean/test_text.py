"""Text tidied, and e-mail addresses judged."""

import re
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest

from shopsight.clean.text import is_valid_email, tidied


def tidy(text: str | None) -> str | None:
    frame = nw.from_native(pl.DataFrame({"text": [text]}, schema={"text": pl.String}))
    return frame.select(tidied(nw.col("text")))["text"].to_list()[0]


@pytest.mark.parametrize(
    ("messy", "tidy_text"),
    [
        ("Ann Lee", "Ann Lee"),
        ("  Ann   Lee ", "Ann Lee"),
        ("Ann\t\r\nLee", "Ann Lee"),
        ("Ann\u00a0\u3000Lee\u2028", "Ann Lee"),
        ("Ann\x00Lee", "AnnLee"),
        ("Ann \x07 Lee", "Ann Lee"),
        ("Ann\x85Lee", "Ann Lee"),
        ("A\u200bn\ufeffn\u00ad", "Ann"),
        ("\u202eAnn\u202c", "Ann"),
        ("\u2066Ann\u2069", "Ann"),
        ("\u200eشركة\u200f", "شركة"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200cمی\u200d", "می"),
        ("👩\u200d👧 & Co", "👩\u200d👧 & Co"),
        ('O\'Hara "Bo" $where a.b', 'O\'Hara "Bo" $where a.b'),
        ("e\u0301", "e\u0301"),
        ("ANN lee", "ANN lee"),
        (" " * 100, None),
        ("\u200b\u00a0\x00\u200d", None),
        ("", None),
        (None, None),
    ],
)
def test_text_is_tidied(messy: str | None, tidy_text: str | None) -> None:
    assert tidy(messy) == tidy_text
    assert tidy(tidy_text) == tidy_text


def valid(addresses: list[str | None]) -> dict[str | None, bool | None]:
    frame = nw.from_native(pl.DataFrame({"email": addresses}, schema={"email": pl.String}))
    return dict(zip(addresses, frame.select(is_valid_email(nw.col("email")))["email"].to_list(), strict=True))


def test_addresses_of_people_are_valid() -> None:
    addresses: list[str | None] = [
        "ann@example.com",
        "ann.lee+shop@mail.example.co.uk",
        "o'hara_1@ex-ample.museum",
        "jürgen@müller.de",
        "用户@例子.广告",
        "x@y.io",
        "xavier@xxx.com",
        "ann@xn--mller-kva.xn--p1ai",
        "a" * 242 + "@example.com",
    ]
    assert [address for address, is_valid in valid(addresses).items() if not is_valid] == []


def test_masked_and_malformed_addresses_are_not_valid() -> None:
    addresses: list[str | None] = [
        "xxxxxxxxx",
        "xxx@xxx.xx",
        "x***@x**.xx",
        "#@#.#",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@@example.com",
        "ann@lee@example.com",
        "ann lee@example.com",
        "ann(at)example.com",
        ".ann@example.com",
        "ann.@example.com",
        "an..n@example.com",
        "ann@example..com",
        "ann@-example.com",
        "ann@example-.com",
        "ann@example.c",
        "ann@example.123",
        "ann@192.168.0.1",
        '"ann"@example.com',
        "ann@example.com, bob@example.com",
        "<ann@example.com>",
        "mailto:ann@example.com",
        "n/a",
        "a" * 243 + "@example.com",
    ]
    assert [address for address, is_valid in valid(addresses).items() if is_valid] == []


def test_documented_addresses_are_valid_or_not_as_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "definitions.md").read_text()
    _, _, table = page.partition("| Valid | Not valid |\n| --- | --- |\n")
    rows = re.findall(r"^\| `(.+)` \| `(.+)` \|$", table.partition("\n\n")[0], re.M)
    assert len(rows) == 5
    documented = {
        address: is_right for row in rows for address, is_right in zip(row, (True, False), strict=True)
    }
    assert valid([*documented]) == documented


def test_no_address_is_neither() -> None:
    assert valid([None]) == {None: None}
