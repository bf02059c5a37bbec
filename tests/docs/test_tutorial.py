"""docs/tutorial.md: what it says is done, in order, and shows what it says."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import pytest
from tests.support.documents import Document

PAGE = Document(Path(__file__).parents[2] / "docs" / "tutorial.md")


# A dozen commands, one after the other.
@pytest.mark.timeout(900)
def test_the_tutorial_leads_to_what_it_shows(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPSIGHT_WORKDIR", str(scratch / "tutorial"))
    demo = PAGE.run("shopsight demo")
    try:
        up, explain, plan, publish, back, end = PAGE.blocks("sh tried")
        psql = next(line for line in PAGE.run(up).splitlines() if "psql" in line)
        (read,), (change,) = PAGE.blocks("python tried"), PAGE.blocks("sql tried")
        found = PAGE.run(f'{sys.executable} - <<"EOF"\n{read}EOF')
        assert "Begoña López" in found
        assert "'rule': 'orders." in found
        assert "Begoña López" in PAGE.run(explain)
        PAGE.run(f'{psql} <<"EOF"\n{change}EOF')
        planned = PAGE.run(plan)
        assert "Begoña López" not in PAGE.run(publish)
        assert "Begoña López" in PAGE.run(back)
        ended = PAGE.run(end)
        kept = re.search(r"Generation (\d+) is proven and kept, and not served", ended)
        assert kept is not None
        assert f"Generation {kept[1]} is served, and nothing is pinned." in ended
    finally:
        PAGE.run("shopsight down --remove")
    drawn = (PAGE.path.parent / "images" / "demo.svg").read_text().partition(">Cleaned")[0]
    texts = [
        html.unescape(text).replace("\xa0", " ") for text in re.findall(r"<text[^>]*>([^<]+)</text>", drawn)
    ]
    assert [text for text in texts[3:] if text.strip() not in demo] == []
    for kind, printed in (("text demo", demo), ("text plan", planned)):
        (shown,) = PAGE.blocks(kind)
        assert [line for line in shown.splitlines() if line not in printed] == []
