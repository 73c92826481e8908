"""What a part's process does first: a session of its own, its log for output, and a leash to whoever started it.

When the starter ends, in whatever way, the part is asked to stop, then made to. So nothing is left behind even when the
supervisor is killed with SIGKILL. The part itself knows nothing of this: from here on the process is what
`python -m sandbox.<part>` is, which runs it without a leash. Started by `sandbox.process`.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

STOP_WITHIN_S = 5.0
_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: the parts import `function_app` from here."""


def run(part: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    """Be this part until it ends. What it logs begins with its process id, for whoever wants to kill it."""
    os.setsid()
    _write_to(log)
    os.chdir(_ROOT)
    os.environ.clear()
    os.environ.update(environment)
    print(f"process {os.getpid()}")
    threading.Thread(target=_follow_the_starter, name="leash", daemon=True).start()
    sys.argv = [f"sandbox.{part}", *arguments]
    runpy.run_module(f"sandbox.{part}", run_name="__main__", alter_sys=True)


def _write_to(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(number, target)
    os.close(nothing)
    os.close(file)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # its last words must be there even if it is killed


def _follow_the_starter() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os.kill(os.getpid(), signal.SIGKILL)
