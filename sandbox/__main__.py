"""`python -m sandbox`: the whole system on one machine, with its two stories played and a live page.

Exit code 0: stopped, or (`--once`) both sides agreed. 1: something did not arrive or a part failed. 2: it could not
start, with the reason in one sentence. Ctrl-C and SIGTERM stop every part first. The parts: `sandbox.supervisor`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

import requests

from sandbox.clients import Refused
from sandbox.deals import Compared
from sandbox.idle import StillBusy
from sandbox.layout import Layout
from sandbox.overview import read_overview
from sandbox.process import PartFailed
from sandbox.scenario import STORIES, NotSeen, Stage
from sandbox.state import CannotStart, StateDirectory, port, port_options
from sandbox.supervisor import NotRegistered, PortInUse, Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        _never_fail_on_a_mark(stream)
    options = _parser().parse_args(arguments)
    ports = {name: getattr(options, f"port_{name}") for name in port_options().values()}
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means: survive the terminal
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        directory = StateDirectory(
            options.state, keep=options.keep, ports={name: number for name, number in ports.items() if number}
        )
        with directory as layout:
            return _run(layout, once=options.once, patience_s=options.patience)
    except (CannotStart, PortInUse) as error:
        print(error, file=sys.stderr)
        return 2
    except (PartFailed, NotRegistered) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


def _run(layout: Layout, *, once: bool, patience_s: float) -> int:
    print("Starting Service Bus, Entra ID, Partner Center, Dynamics 365 and the function app on this machine …")
    begun = time.monotonic()
    with Sandbox(layout) as sandbox:
        sandbox.register_webhook()
        print(f"Ready after {time.monotonic() - begun:.1f} s. The live page: {layout.page_url}\n")
        code = conclude(sandbox, agreed=_play(sandbox, patience_s), once=once)
    print("Stopped; no process is left.")
    return code


def conclude(sandbox: Sandbox, *, agreed: bool, once: bool) -> int:
    """After the stories: keep every part running until Ctrl-C, unless it was for `once`; the exit code."""
    if not once:
        _stay(sandbox)
    return 0 if agreed else 1


def _stay(sandbox: Sandbox) -> None:
    page = sandbox.layout.page_url
    print(f"\nThe sandbox keeps running. Open {page} and change a deal on either side; Ctrl-C stops it.")
    try:
        while True:
            time.sleep(1)
            for part in sandbox.restart_the_ended():
                print(f"The part {part} had ended and runs again.", flush=True)
    except KeyboardInterrupt:
        print("\nStopping …")


def _play(sandbox: Sandbox, patience_s: float) -> bool:
    """Play every story and print the verdict; whether all arrived and both sides agree."""
    opportunities = []
    try:
        for number, (title, play) in enumerate(STORIES.items(), start=1):
            print(f"{number}. {title}")
            opportunities.append(play(Stage(sandbox.seller, sandbox.portal, _tell, patience_s)))
            print()
        sandbox.wait_idle(patience_s, scheduled=False)  # what the retry ladder holds for later changes nothing here
        overview = read_overview(sandbox.seller, sandbox.portal)
        tables = [overview.comparison(opportunity) for opportunity in opportunities]
    except (NotSeen, Refused, StillBusy, LookupError, requests.RequestException) as error:
        logs = sandbox.layout.state / "logs"
        print(f"\nThe two sides do not agree: {error}\nWhat the parts did stands in {logs}.")
        return False
    return _print_verdict([row for table in tables for row in table], tables)


def _tell(mark: str, side: str, sentence: str, seconds: float) -> None:
    print(f"  {seconds:5.1f} s  {mark} {side:<14}  {sentence}", flush=True)


def _print_verdict(rows: list[Compared], tables: list[list[Compared]]) -> bool:
    width = max(len(row.partner_center) for row in rows)
    for table in tables:
        print(f"  {'':<16}    {'Partner Center':<{width}}  Dynamics 365")
        for row in table:
            mark = "✔" if row.agree else "✖"
            print(f"  {row.label:<16}  {mark} {row.partner_center or '–':<{width}}  {row.dynamics_365 or '–'}".rstrip())
        print()
    differing = [row.label for row in rows if not row.agree]
    print(f"The two sides differ in: {', '.join(differing)}." if differing else "Both sides agree.")
    return not differing


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Start the whole system on this machine, play its two stories, keep it running for the live page.",
    )
    parser.add_argument(
        "--once", action="store_true", help="end after the stories; exit code 0 only if both sides agree"
    )
    parser.add_argument(
        "--state", type=Path, default=Path(".sandbox"), help="directory for its data (default .sandbox)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the data and ports of the last run")
    parser.add_argument(
        "--patience", type=float, default=30.0, metavar="S", help="seconds a change may take to arrive (default 30)"
    )
    for option, name in port_options().items():
        parser.add_argument(
            option, dest=f"port_{name}", type=port, metavar="N", help=f"port of {name} (default: a free one)"
        )
    return parser


def _never_fail_on_a_mark(stream: TextIO) -> None:
    """A terminal that cannot show ✔ shows a question mark instead of ending the program."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="replace")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
