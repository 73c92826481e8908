"""`python -m admin reconcile …`: look at pairs again, as the sweep does, now and for chosen ones.

Sends the same hints the events would; the running app does the work, finds no difference for what is in step, and
writes nothing there. `--dry-run` only counts.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable
from datetime import timedelta

from shared.app import App
from shared.handlers import sweep
from shared.messages import Hint, Queue

_EVERYTHING = timedelta(days=3650)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser("reconcile", help="compare pairs again and repair what differs")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--referral", type=uuid.UUID, metavar="ID", help="one referral")
    which.add_argument("--opportunity", type=uuid.UUID, metavar="ID", help="one opportunity")
    which.add_argument("--since", type=float, metavar="HOURS", help="everything changed in the last HOURS")
    which.add_argument("--all", action="store_true", help="everything")
    parser.add_argument("--dry-run", action="store_true", help="say what would be looked at; send nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Send the hints."""
    app = connect()
    try:
        if options.referral or options.opportunity:
            queue = Queue.PARTNER_CENTER_EVENTS if options.referral else Queue.DYNAMICS_365_TO_PARTNER_CENTER
            subject = "referral" if options.referral else "opportunity"
            hint = Hint(subject=subject, id=options.referral or options.opportunity, reason="operator")
            if not options.dry_run:
                app.queues.send(queue, hint)
            print(f"{'would look' if options.dry_run else 'looking'} at {subject} {hint.row_id}")
            return 0
        look_back = _EVERYTHING if options.all else timedelta(hours=options.since)
        print(sweep.handle(app.connections, look_back, send=not options.dry_run))
    finally:
        app.queues.close()
    return 0
