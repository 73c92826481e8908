"""`python -m sandbox.page.screenshot`: takes the documentation's picture of the live page of a running sandbox.

Also the one place that knows how the browser is started; the tests of the page use `open_browser` too.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

from sandbox.layout import Layout

MISSING = (
    "Chromium is needed to open the live page and was not found: install it (Debian and Ubuntu: "
    "apt-get install chromium; macOS: brew install chromium) and run this again."
)
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
)
"""No connection of its own, usable by root in a container, and without the pages of an address bar that nobody sees."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Headless Chromium; FileNotFoundError with the remedy when there is none."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.page.screenshot", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--state", type=Path, default=Path(".sandbox"), help="state directory (default .sandbox)")
    parser.add_argument("--out", type=Path, default=Path("docs/images/live-page.png"), help="the picture's file")
    options = parser.parse_args()
    try:
        address = Layout.load(options.state).page_url
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with open_browser() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(address)
            page.locator(".card").first.wait_for(timeout=10_000)
            page.screenshot(path=options.out)
    except FileNotFoundError as error:
        missing = error if str(error) == MISSING else "No sandbox was started there; run `python -m sandbox` first."
        print(missing, file=sys.stderr)
        return 1
    except Error as error:
        print(f"{address} cannot be shown: {error.message.splitlines()[0]}", file=sys.stderr)
        return 1
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
