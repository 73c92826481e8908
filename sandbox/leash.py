"""Runs one part for as long as whoever started it lives: `python -m sandbox.leash <part> --state DIR`.

The starter holds the other end of standard input. When it ends, in whatever way, the pipe closes and the part is asked
to stop, then made to. So nothing is left behind even when the supervisor is killed with SIGKILL. The part itself knows
nothing of this; `python -m sandbox.<part>` runs it without a leash. Started by `sandbox.process`.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

STOP_WITHIN_S = 5.0


def _follow_the_starter() -> None:
    while os.read(0, 1):
        pass  # nothing is ever sent; only the end of the pipe means something
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_WITHIN_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    part = sys.argv[1]
    threading.Thread(target=_follow_the_starter, name="leash", daemon=True).start()
    sys.argv = [f"sandbox.{part}", *sys.argv[2:]]
    runpy.run_module(f"sandbox.{part}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
