"""`python -m admin docs`: writes docs/settings.md and docs/mapping.md from what the app itself reads.

Settings come from the model, the mapping from its tables: the pages can only be wrong where the code is. `--check`
writes nothing and ends with 1 when a page is out of date. The pages: `admin.settings_page` and `admin.mapping_page`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from admin import mapping_page, settings_page
from shared.app import App

ROOT = Path(__file__).resolve().parents[1]
PAGES: dict[str, Callable[[], str]] = {
    "docs/settings.md": settings_page.page,
    "docs/mapping.md": mapping_page.page,
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser("docs", help="write docs/settings.md and docs/mapping.md from the code")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is out of date")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, _connect: Callable[[], App]) -> int:
    """Write or check the pages; needs no settings and no connection."""
    old = outdated()
    if options.check:
        if old:
            print(f"Out of date: {', '.join(old)}. Run `python -m admin docs`.", file=sys.stderr)
        return 1 if old else 0
    for name in old:
        (ROOT / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


def outdated(root: Path = ROOT) -> list[str]:
    """Pages whose file below `root` differs from what the code says."""
    return [name for name, page in PAGES.items() if _read(root / name) != page()]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
