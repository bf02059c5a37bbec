"""The documented cleaning rules are the registered ones."""

from pathlib import Path

from shopsight.clean import RULES

DEFINITIONS = Path(__file__).parents[2] / "docs" / "definitions.md"


def test_the_table_of_cleaning_rules_is_the_registry() -> None:
    _, _, section = DEFINITIONS.read_text().partition("\n## Cleaning rules\n")
    section, _, _ = section.partition("\n## ")
    table, _, _ = section.partition("\n### ")
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    assert rows == [(f"`{rule.id}`", rule.table, str(rule.action), rule.sentence) for rule in RULES.values()]
