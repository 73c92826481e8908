"""The operator's command line: `python -m admin` with the app's settings, in this process.

Starting a process would take longer than most commands; `test_at_f_operations` starts one.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from admin.__main__ import main
from tests.acceptance.world import World


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def admin(world: World, *words: str) -> Ran:
    """`python -m admin --settings … words`."""
    return run(world.layout.state / "local.settings.json", *words)


def run(settings: Path, *words: str) -> Ran:
    """The same with the settings of this file."""
    out, err = io.StringIO(), io.StringIO()
    with _an_empty_environment(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["--settings", str(settings), *words])
    return Ran(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _an_empty_environment() -> Iterator[None]:
    """Settings in a developer's environment would win, and so would those that the last command left there."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ["PATH"] = before.get("PATH", "")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
