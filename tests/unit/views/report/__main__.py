"""The picture in the README: `python -m tests.unit.views.report` takes it again, with the chromium on the PATH."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from inference_recorder.views import report

from .example import travel_agency

_PICTURE = Path(__file__).with_name("report.png")


def main() -> None:
    """Take the picture of the made-up run's first test."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        os.chdir(directory)  # the page names files from here
        run = travel_agency(Path("recordings"))
        page_file = Path(directory, "report.html")
        report.write(page_file, [run.directory], run.calls, run.misses, run.outcomes)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(page_file.as_uri())
        page.locator("#tree a").first.click()
        page.locator("article").first.wait_for()
        page.screenshot(path=_PICTURE)
        browser.close()
        os.chdir("/")
    print(f"{_PICTURE}: {_PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
