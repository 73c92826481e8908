"""`python -m admin parked …`: messages that were set aside, and the dead letters of every queue.

A message is named by where it lies and its sequence number, such as `parked:12` or `partner-center-events/dead:7`. To
take one out without counting a delivery for the others, those in front of it are deferred: they stay where they are and
are found by their number from then on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)

from shared.app import App
from shared.delivery import Envelope
from shared.messages import APPROVED, REVIEW, ParkedMessage, Queue, parse

_PAGE = 100
_WAIT_S = 2.0
_DONE = {"replay": "replayed", "approve": "approved", "discard": "discarded"}


@dataclass(frozen=True)
class Aside:
    """One message set aside."""

    shelf: str
    """`parked`, or a queue's name and `/dead`."""
    number: int
    parked: ParkedMessage
    deferred: bool

    @property
    def name(self) -> str:
        return f"{self.shelf}:{self.number}"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its verbs."""
    parser = commands.add_parser("parked", help="messages that were set aside, dead letters included")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="one line each")
    for verb, words in (
        ("show", "one in full"),
        ("replay", "send back to their queue"),
        ("approve", "take inbound deals that await review"),
        ("discard", "remove for good"),
    ):
        sub = verbs.add_parser(verb, help=words)
        sub.add_argument("names", nargs="*", metavar="NAME", help="as listed, such as parked:12")
        sub.add_argument("--all", action="store_true", help="every message")
        sub.add_argument("--code", help="every message with this code")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Carry out one verb."""
    app = connect()
    with app.connect_service_bus() as client, _open_shelves(client) as shelves:
        found = _all(shelves)
        if options.verb == "list":
            return _list(found)
        chosen = _choose(found, options)
        if options.verb in ("approve", "replay"):  # a deal that is replayed would only await its review again
            chosen = [aside for aside in chosen if (aside.parked.code == REVIEW) == (options.verb == "approve")]
        if not chosen:
            print(
                f"No message of that name or code can be {_DONE.get(options.verb, 'shown')}; a deal that awaits review "
                "is approved or discarded, all else is replayed or discarded. `python -m admin parked list` shows all.",
                file=sys.stderr,
            )
            return 1
        if options.verb == "show":
            for aside in chosen:
                print(json.dumps(aside.parked.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False))
            return 0
        return _settle(shelves, app, chosen, options.verb)


def _list(found: list[Aside]) -> int:
    for aside in found:
        parked = aside.parked
        print(f"{aside.name:<44} {parked.parked_at:%Y-%m-%d %H:%M}  {parked.code}: {parked.sentence} {parked.remedy}")
    print(f"{len(found)} set aside.")
    return 0


def _choose(found: list[Aside], options: argparse.Namespace) -> list[Aside]:
    if options.all:
        return found
    return [a for a in found if a.name in options.names or (options.code and a.parked.code == options.code)]


@contextlib.contextmanager
def _open_shelves(client: ServiceBusClient) -> Iterator[dict[str, ServiceBusReceiver]]:
    """A receiver for each shelf, opened, and at the end closed, side by side: either takes half a second and more."""
    shelves = {str(Queue.PARKED): client.get_queue_receiver(Queue.PARKED)} | {
        f"{queue}/dead": client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) for queue in Queue
    }
    with ThreadPoolExecutor(len(shelves)) as hands:
        try:
            list(hands.map(ServiceBusReceiver.__enter__, shelves.values()))
            yield shelves
        finally:
            list(hands.map(ServiceBusReceiver.close, shelves.values()))


def _all(shelves: Mapping[str, ServiceBusReceiver]) -> list[Aside]:
    """Everything set aside."""
    return [aside for shelf, receiver in shelves.items() for aside in _read_shelf(shelf, receiver)]


def _read_shelf(shelf: str, receiver: ServiceBusReceiver) -> list[Aside]:
    found, first = [], 1
    while page := receiver.peek_messages(_PAGE, sequence_number=first):
        for message in page:
            deferred = message.state == ServiceBusMessageState.DEFERRED
            found.append(Aside(shelf, message.sequence_number or 0, _read(shelf, message), deferred))
        first = (page[-1].sequence_number or 0) + 1
    return found


def _read(shelf: str, message: ServiceBusReceivedMessage) -> ParkedMessage:
    """What lies there: our own record, or a dead letter described by Service Bus's reason."""
    text = str(message)
    if shelf == Queue.PARKED:
        try:
            return ParkedMessage.model_validate_json(text)
        except ValueError:
            reason = "It was not put here by the connector."
    else:
        reason = message.dead_letter_error_description or message.dead_letter_reason or "Service Bus gave no reason."
    with contextlib.suppress(ValueError):  # a first delivery: the body is the message itself
        text = Envelope.model_validate_json(text).body
    at = message.enqueued_time_utc
    if at is None:
        raise ValueError("a message without its time")
    return ParkedMessage(
        code=f"DEAD_LETTER_{(message.dead_letter_reason or 'UNKNOWN').upper()}",
        sentence=reason,
        remedy="Replay it when the cause is gone.",
        queue=shelf.removesuffix("/dead"),
        correlation_id=str(message.correlation_id or ""),
        body=text,
        parked_at=at,
    )


def _settle(shelves: Mapping[str, ServiceBusReceiver], app: App, chosen: list[Aside], verb: str) -> int:
    """Send back (replay, approve) and remove; first the send, then the removal, so that nothing is lost in between."""
    done = 0
    for shelf, receiver in shelves.items():
        wanted = {aside.number: aside for aside in chosen if aside.shelf == shelf}
        for message in _take(receiver, wanted):
            aside = wanted[message.sequence_number or 0]
            if verb == "approve":
                hint = parse(aside.parked.body).model_copy(update={"reason": APPROVED})
                app.queues.send(Queue.PARTNER_CENTER_EVENTS, hint)
            elif verb == "replay":
                app.queues.resend(aside.parked.queue, aside.parked.body, delay_s=0)
            receiver.complete_message(message)
            done += 1
            print(f"{_DONE[verb]} {aside.name}")
    app.queues.close()
    return 0 if done == len(chosen) else 1


def _take(receiver: ServiceBusReceiver, wanted: dict[int, Aside]) -> Iterator[ServiceBusReceivedMessage]:
    """The wanted messages, locked. Others met on the way are deferred."""
    deferred = [number for number, aside in wanted.items() if aside.deferred]
    if deferred:
        yield from receiver.receive_deferred_messages(deferred)
    missing = wanted.keys() - set(deferred)
    while missing:
        page = receiver.receive_messages(max_message_count=_PAGE, max_wait_time=_WAIT_S)
        if not page:
            return
        for message in page:
            if message.sequence_number in missing:
                missing.discard(message.sequence_number)
                yield message
            else:
                receiver.defer_message(message)
