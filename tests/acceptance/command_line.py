"""The operator's command line, run as an operator runs it: a process of its own with the app's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.world import World

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


def admin(world: World, *words: str) -> Ran:
    """`python -m admin --settings … words`."""
    settings = str(world.layout.state / "local.settings.json")
    ran = subprocess.run(  # noqa: S603 - the words are the test's own
        [sys.executable, "-m", "admin", "--settings", settings, *words],
        cwd=_ROOT,
        env={"PATH": os.environ.get("PATH", "")},  # settings in a developer's environment would win
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)
