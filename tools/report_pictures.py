"""Pictures of a report in headless Chromium: wide, light and dark, and on a phone (`make pictures`).

.venv/bin/python -m tools.report_pictures REPORT.html [FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.support.chromium import Chromium

FOLDER = Path(__file__).parents[1] / "docs" / "images"
#: By name: width, height, colour scheme, pixels for each of CSS.
PICTURES = {
    "report-light": (1280, 1500, "light", 1),
    "report-dark": (1280, 1500, "dark", 1),
    "report-phone": (390, 1400, "light", 1),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as profile:
        browser = Chromium(Path(profile))
        try:
            for name, (width, height, scheme, scale) in PICTURES.items():
                browser.open(given.report.resolve(), width, scheme, height, scale)
                (given.folder / f"{name}.png").write_bytes(browser.picture())
        finally:
            browser.close()


if __name__ == "__main__":
    main()
