"""`python -m admin reconcile …`: compare pairs now, as the sweep does, and have done what is left to do.

Sends the same hints; the running app does the work. `--dry-run` lists the pairs that differ, by id and by the names of
what differs, and sends nothing. How far it is stands on one line of a terminal; the last line is the sum.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

from shared.app import App
from shared.connections import Connections
from shared.errors import NotFound
from shared.handlers import sweep
from shared.handlers.sweep import Compared, Sum

_EVERYTHING = timedelta(days=3650)
_REDRAWN_S = 0.2


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser("reconcile", help="compare pairs again and repair what differs")
    parser.add_argument("--referral", metavar="ID", help="one referral")
    parser.add_argument("--opportunity", metavar="ID", help="one opportunity")
    parser.add_argument("--since", metavar="HOURS", help="everything changed in the last HOURS")
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument("--dry-run", action="store_true", help="list what differs; send nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Compare and send the hints; 2 when the options cannot be used, 1 when nothing has that id."""
    try:
        chosen = _chosen(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    app = connect()
    try:
        return carry_out(chosen, app.connections, send=not options.dry_run)
    finally:
        app.queues.close()


@dataclass(frozen=True)
class Choice:
    """What to compare, and what to say when it does not exist."""

    pairs: Callable[[Connections], Iterator[Compared]]
    missing: str = ""


def _chosen(options: argparse.Namespace) -> Choice:
    """What to compare; `ValueError` with one sentence for the operator."""
    given = [name for name in ("referral", "opportunity", "since", "all") if getattr(options, name)]
    if len(given) != 1:
        found = " and ".join(f"--{name}" for name in given)
        raise ValueError(
            f"{f'{found} exclude each other' if given else 'Nothing says what to compare'}: give one of "
            "--referral ID, --opportunity ID, --since HOURS or --all."
        )
    if options.referral:
        referral_id = _id(options.referral, "referral")
        return Choice(
            lambda connections: sweep.compare_referral(connections, referral_id),
            f"Partner Center shows no referral {referral_id}: check the id, and that the service user is Referrals "
            "admin for all locations.",
        )
    if options.opportunity:
        opportunity_id = _id(options.opportunity, "opportunity")
        return Choice(
            lambda connections: sweep.compare_opportunity(connections, opportunity_id),
            f"Dynamics 365 has no opportunity {opportunity_id}: check the id, and the connector's right to read it.",
        )
    look_back = _EVERYTHING if options.all else _hours(options.since)
    return Choice(lambda connections: sweep.compare(connections, connections.clock() - look_back))


def _id(text: str, what: str) -> str:
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise ValueError(
            f"{text!r} is no id of {'a referral' if what == 'referral' else 'an opportunity'}: "
            "give the 36 characters that stand in its address, such as 7c1d5b52-aaaa-4bbb-8ccc-ddddeeeeffff."
        ) from None


def _hours(text: str) -> timedelta:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours <= _EVERYTHING / timedelta(hours=1):
        raise ValueError(f"--since {text} is no number of hours: give one above 0, such as 48, or use --all.")
    return timedelta(hours=hours)


def carry_out(chosen: Choice, connections: Connections, *, send: bool) -> int:
    """Compare what was chosen and print what came of it."""
    started, counter = time.monotonic(), Counter(sys.stderr)

    def each(compared: Compared) -> None:
        if compared.work and not send:
            counter.clear()
            print_difference(compared)
        counter.count(compared)

    try:
        found = sweep.settle(connections, chosen.pairs(connections), send=send, each=each)
    except NotFound:
        if not chosen.missing:
            raise
        print(chosen.missing, file=sys.stderr)
        return 1
    finally:
        counter.clear()
    print(summary(found, time.monotonic() - started))
    return 0


def print_difference(compared: Compared) -> None:
    """One line: which pair, and the names of what differs."""
    ids = {"referral": compared.referral_id, "opportunity": compared.opportunity_id}
    named = ", ".join(f"{name} {row_id}" for name, row_id in ids.items() if row_id)
    print(f"{named}: {', '.join(dict.fromkeys(name for work in compared.work for name in work.differs))}")


def summary(found: Sum, seconds: float) -> str:
    in_step = found.compared - found.differing
    return (
        f"{found.compared} compared, {in_step} in step, {found.differing} with a difference, "
        f"{found.hinted} hinted, {seconds:.0f} s."
    )


@dataclass
class Counter:
    """How far it is, on one line of a terminal that is written over; nothing where nobody looks on."""

    out: TextIO
    compared: int = 0
    differing: int = 0
    drawn_at: float = 0.0

    def count(self, compared: Compared) -> None:
        self.compared += 1
        self.differing += bool(compared.work)
        now = time.monotonic()
        if self.out.isatty() and now - self.drawn_at >= _REDRAWN_S:
            self.drawn_at = now
            self.out.write(f"\r\x1b[K{self.compared} compared, {self.differing} with a difference …")
            self.out.flush()

    def clear(self) -> None:
        if self.out.isatty():
            self.out.write("\r\x1b[K")
            self.out.flush()
