"""The pictures of the report in docs/: `python -m tests.unit.views.report` takes them again.

They show a made-up run, in the chromium that is on the PATH.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from inference_recorder.views import report

from .example import AGENT, GREETING, travel_agency

_IMAGES = Path(__file__).parents[4] / "docs" / "images"
_PICTURES = {"report.png": (AGENT, 1000), "report-miss.png": (GREETING, 700)}
"""File -> the test that it shows, and its height."""


def main() -> None:
    """Take a picture of each of these tests."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        os.chdir(directory)  # the page names files from here
        run = travel_agency(Path("recordings"))
        page_file = Path(directory, "report.html")
        report.write(page_file, [run.directory], run.calls, run.misses, run.outcomes)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, (test_id, height) in _PICTURES.items():
            page = browser.new_page(viewport={"width": 1400, "height": height})
            page.goto(f"{page_file.as_uri()}#{quote(test_id)}")
            page.locator("article").first.wait_for()
            page.screenshot(path=_IMAGES / name)
        browser.close()
        os.chdir("/")
    for name in _PICTURES:
        print(f"{name}: {(_IMAGES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
