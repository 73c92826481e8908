"""Queue listeners: each of a function's `maxConcurrentCalls` slots is one thread with its own SDK receiver.

A slot receives one message, waits for the function, renews the lock meanwhile, settles, and goes on: one connection,
one thread. One shared receiver per queue was tried and was worse: the SDK's reader holds the socket while it waits, so
settling from another thread took 230 ms at the median and up to a second, where a slot needs about one millisecond.
Twenty-eight slots open within a second and cost 1 % of one core when idle. A message reaches an idle function in 3 ms.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError

from sandbox.host import queue_message
from sandbox.host.configuration import HostJson
from sandbox.host.invocations import Invocations
from sandbox.host.runtime import Outcome
from sandbox.host.triggers import Function, QueueTrigger

_log = logging.getLogger("sandbox.host")
SOCKET_WAIT_S = 0.5
"""How long a slot reads before it looks up, and how long it takes to close. Shorter costs processor time when idle."""
IDLE_WAIT_S = 30.0
"""How long one receive call waits; arrival wakes it at once, and a stop within `SOCKET_WAIT_S`."""
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 1.0


class Link:
    """Says once that the broker is gone and once that it is back, however many slots notice. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._down: set[int] = set()

    def lost(self, error: Exception) -> None:
        with self._lock:
            if not self._down:
                _log.warning("Service Bus is not reachable, trying again until it is: %s", _first_line(error))
            self._down.add(threading.get_ident())

    def back(self) -> None:
        with self._lock:
            if threading.get_ident() in self._down:
                self._down.discard(threading.get_ident())
                if not self._down:
                    _log.warning("Service Bus is reachable again.")

    @property
    def up(self) -> bool:
        with self._lock:
            return not self._down


class QueueListener:
    """All slots of one function. `start`, then `stop`, then `give_up` for what still runs, then `join`."""

    def __init__(
        self,
        function: Function,
        trigger: QueueTrigger,
        settings: HostJson,
        invocations: Invocations,
        link: Link,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._settings = settings
        self._invocations = invocations
        self._link = link
        self._loop = loop
        self._stopping = threading.Event()
        self._running: set[Future[Outcome]] = set()
        self._threads: list[threading.Thread] = []
        self._waiting: set[ServiceBusReceiver] = set()
        """Receivers within a receive call."""
        self._lock = threading.Lock()

    def start(self, opened: Callable[[], object]) -> int:
        """Start every slot and say how many there are; each calls `opened` once, when its first receiver is open."""
        for number in range(self._settings.max_concurrent_calls):
            name = f"{self._trigger.queue}-{number}"
            # Daemon: a function that never ends must not keep the process alive after a stop.
            thread = threading.Thread(target=self._slot, args=(opened,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return len(self._threads)

    def stop(self) -> None:
        """Take no further message. What runs goes on."""
        with self._lock:
            self._stopping.set()
            for receiver in self._waiting:
                _end_the_wait(receiver, True)

    def give_up(self) -> None:
        """Abandon the messages whose functions still run."""
        for future in list(self._running):
            future.cancel()

    def join(self, until: float) -> bool:
        """Wait for the slots until that `time.monotonic()`; whether all ended."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _slot(self, opened: Callable[[], object]) -> None:
        backoff_s, first = FIRST_BACKOFF_S, True
        while not self._stopping.is_set():
            try:
                # No retries inside the SDK: this loop reconnects sooner, and can be stopped.
                with (
                    ServiceBusClient.from_connection_string(self._trigger.connection, retry_total=0) as client,
                    self._receiver(client) as receiver,
                ):
                    self._link.back()
                    backoff_s = FIRST_BACKOFF_S
                    if first:
                        opened()
                        first = False
                    self._receive(receiver)
            except Exception as error:  # noqa: BLE001  the SDK leaks OSError, ValueError and others when a peer dies
                if self._stopping.is_set():
                    return
                self._link.lost(error)
                self._stopping.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    def _receiver(self, client: ServiceBusClient) -> ServiceBusReceiver:
        receiver = client.get_queue_receiver(
            self._trigger.queue, prefetch_count=self._settings.prefetch_count, socket_timeout=SOCKET_WAIT_S
        )
        without_keep_alive(receiver)
        return receiver

    def _receive(self, receiver: ServiceBusReceiver) -> None:
        while not self._stopping.is_set():
            for message in self._next(receiver):
                self._handle(receiver, message)

    def _next(self, receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
        """The next message; none when the time was up or the host stops."""
        with self._lock:
            if self._stopping.is_set():
                return []
            self._waiting.add(receiver)
        try:
            return receiver.receive_messages(1, max_wait_time=IDLE_WAIT_S)
        finally:
            with self._lock:
                self._waiting.discard(receiver)
                _end_the_wait(receiver, False)

    def _handle(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        with self._invocations.run(self._function) as invocation:
            try:
                value = queue_message.body(message, self._trigger.binary)
            except ValueError as error:
                invocation.outcome = Outcome(ok=False, error=str(error))
            else:
                call = invocation.call(value, queue_message.metadata(message))
                with suppress(CancelledError):  # given up by a stop: stays a failure, and the message goes back
                    future = asyncio.run_coroutine_threadsafe(call, self._loop)
                    invocation.outcome = self._wait(receiver, message, future)
            try:
                if invocation.outcome.ok:
                    receiver.complete_message(message)
                else:
                    receiver.abandon_message(message)
            except MessageLockLostError:
                _log.warning("%s %s lost its lock; its message comes again", self._function.name, invocation.id)

    def _wait(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, future: Future[Outcome]
    ) -> Outcome:
        """The function's outcome. Renews the lock at half its remaining time, for as long as host.json allows."""
        self._running.add(future)
        renew_until = time.monotonic() + self._settings.lock_renewal_s
        try:
            while True:
                pause_s = _lock_left_s(message) / 2 if time.monotonic() < renew_until else None
                try:
                    return future.result(pause_s)
                except TimeoutError:
                    self._renew(receiver, message)
        finally:
            self._running.discard(future)

    def _renew(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        try:
            receiver.renew_message_lock(message)
        except Exception as error:  # noqa: BLE001  whatever it was, the function runs on and settlement will tell
            _log.warning("%s: a lock could not be renewed: %s", self._function.name, _first_line(error))


def without_keep_alive(receiver: ServiceBusReceiver) -> None:
    """The SDK's keep-alive thread reads from the socket every five seconds, for as long as a read may last.

    Meanwhile the slot can neither receive nor settle, and closing waits for that thread. The slot listens itself, and
    the sandbox's broker closes no idle connection. The SDK, which is pinned exactly, has no option for this.
    """
    create = receiver._create_handler

    def create_quietly(auth: Any) -> None:
        create(auth)
        receiver._handler._keep_alive_interval = 0

    receiver._create_handler = create_quietly  # type: ignore[method-assign]


def _end_the_wait(receiver: ServiceBusReceiver, now: bool) -> None:
    """Let a receive call return when its slot looks up next, or take that back, since what it got is to be settled.

    The SDK has no call for this either: its own `close` is for the thread that receives.
    """
    if receiver._handler is not None:  # it is while the connection lasts
        receiver._handler._shutdown = now


def _lock_left_s(message: ServiceBusReceivedMessage) -> float:
    locked_until = message.locked_until_utc
    left_s = (locked_until - datetime.now(UTC)).total_seconds() if locked_until else 0.0
    return max(left_s, 1.0)  # never renew in a tight loop


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0]
