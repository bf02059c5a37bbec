"""One display name for each country."""

import pycountry
import pytest

from shopsight.countries import display_names


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        (
            "United States",
            ["USA", "us", "U.S.A.", "u.s.", "United States of America", "840", "The United States"],
        ),
        ("United Kingdom", ["UK", "Great Britain", "england", "GB", "GBR"]),
        ("Netherlands", ["Holland", "The Netherlands", "nederland", "NL"]),
        ("Russia", ["Russian Federation", "RUSSIA", "Россия", "ru"]),
        ("Germany", ["Deutschland", "DE", "germany", "Federal Republic of Germany"]),
        ("Côte d'Ivoire", ["Ivory Coast", "Cote d'Ivoire", "Côte d’Ivoire", "CI"]),
        ("Türkiye", ["Turkey", "turkiye", "TÜRKİYE", "TR"]),
        ("South Korea", ["Korea, Republic of", "Republic of Korea", "Korea (South)", "KR"]),
        ("Vietnam", ["Viet Nam", "VN"]),
        ("Czechia", ["Czech Republic", "CZ"]),
        ("Democratic Republic of the Congo", ["Congo, The Democratic Republic of the", "DR Congo"]),
        ("Bosnia and Herzegovina", ["Bosnia & Herzegovina", "BA"]),
        ("Namibia", ["NA", "namibia"]),
        ("Unknown", ["unknown", "UNKNOWN"]),
    ],
)
def test_ways_to_write_a_country_have_one_name(name: str, ways: list[str]) -> None:
    assert display_names(ways) == dict.fromkeys(ways, name)


def test_text_that_is_no_country_is_left_out() -> None:
    assert display_names(["Atlantis", "N/A", "??", "EU", "-", "12345", "none", "Germania Inferior", ""]) == {}


def test_every_country_keeps_its_display_name_when_named_again() -> None:
    countries = list(pycountry.countries)
    names = display_names(country.alpha_2 for country in countries)
    assert len(set(names.values())) == len(countries)
    assert display_names(names.values()) == {name: name for name in names.values()}


def test_no_code_or_official_name_means_two_countries() -> None:
    for country in pycountry.countries:
        ways = [country.alpha_2, country.alpha_3, country.numeric, country.name]
        assert len(set(display_names(ways).values())) == 1, country
