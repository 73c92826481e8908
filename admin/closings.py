"""`python -m admin closings …`: closings that the brake holds back, and the operator's decision about them.

What is listed stands in the table `cosell_closing` (`shared.handlers.brake`). Deciding about the last held closing of a
direction ends its pause, and counting begins anew: the operator has seen what was counted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.app import App
from shared.handlers import brake
from shared.handlers.brake import Direction, State
from shared.ports import Condition, Dataverse, Queues, Row

_BEFORE_S = 10.0
"""The message goes out before the decision is written, so that none is lost between the two, and arrives after it."""
_VERBS = {"approve": (State.APPROVED, "approved"), "discard": (State.LEFT_OPEN, "left open")}


@dataclass(frozen=True)
class Held:
    """One closing that waits."""

    to: Direction
    row: Row

    @property
    def name(self) -> str:
        """Where it closes, and which referral."""
        return f"{self.to.name.lower().replace('_', '-')}:{self.row.text('cosell_name')}"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its verbs."""
    parser = commands.add_parser("closings", help="closings held back because there were unusually many")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="one line each")
    for verb, words in (("approve", "carry them over now"), ("discard", "leave the other side open for good")):
        sub = verbs.add_parser(verb, help=words)
        sub.add_argument("names", nargs="*", metavar="NAME", help="as listed, such as partner-center:4111d0aa-…")
        sub.add_argument("--all", action="store_true", help="every one")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Carry out one verb."""
    app = connect()
    try:
        found = held(app.dataverse)
        if options.verb == "list":
            for one in found:
                at = one.row.values.get("cosell_closedon")
                when = f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else ""
                print(f"{one.name:<56} {when}  would be closed in {one.to.words}")
            print(f"{len(found)} held.")
            return 0
        chosen = [one for one in found if options.all or one.name in options.names]
        if not chosen and not options.all:
            print("No closing of that name is held. `python -m admin closings list` shows all.", file=sys.stderr)
            return 1
        state, word = _VERBS[options.verb]
        freed = decide(app.dataverse, app.queues, chosen, state, datetime.now(UTC))
        for one in chosen:
            print(f"{word} {one.name}")
        if chosen and state is State.APPROVED:
            print(f"The deals are looked at in {_BEFORE_S:.0f} seconds.")
        for to in freed:
            print(f"Closings to {to.words} go on.")
    finally:
        app.queues.close()
    return 0


def held(dataverse: Dataverse) -> list[Held]:
    """Every held closing, by direction, oldest first."""
    return [Held(to, row) for to in Direction for row in brake.rows(dataverse, to, State.HELD)]


def decide(dataverse: Dataverse, queues: Queues, chosen: list[Held], state: State, now: datetime) -> list[Direction]:
    """Approve (the deal is looked at again) or leave open; the directions that go on, as nothing is held there now."""
    for one in chosen:
        if state is State.APPROVED:
            queue, message = one.row.text("cosell_queue"), one.row.text("cosell_message")
            queues.resend(queue or "", message or "", delay_s=_BEFORE_S)
        dataverse.update(brake.TABLE, one.row.id, {"cosell_state": int(state)}, None)
    recent = [Condition("cosell_closedon", now - brake.WINDOW, "ge")]
    freed = []
    for to in Direction:
        pauses = brake.rows(dataverse, to, State.PAUSED)
        if not pauses or brake.rows(dataverse, to, State.HELD, limit=1):
            continue
        for row in brake.rows(dataverse, to, State.CARRIED, recent):
            dataverse.update(brake.TABLE, row.id, {"cosell_state": int(State.APPROVED)}, None)
        for row in pauses:
            dataverse.delete(brake.TABLE, row.id)
        freed.append(to)
    return freed
