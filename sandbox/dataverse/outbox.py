"""Sends waiting messages to Service Bus: one thread and one long-lived sender per queue, through the real SDK.

At least once: a message leaves the store only after the broker has taken it, and each send has a new MessageId, as
Dataverse's own sender does. While the broker is away the messages wait, and the gaps between tries grow to two seconds.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusError

from sandbox.dataverse.environment import Environment
from sandbox.dataverse.store import Waiting

_LONGEST_GAP_S = 2.0
_POLL_S = 0.2
log = logging.getLogger(__name__)


class Outbox:
    """The senders of one environment; `wake` after every transaction that may have posted something."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._queues: dict[str, _Queue] = {}
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Look for waiting messages now, starting the sender of a queue that has none yet."""
        for queue in self._env.store.queues_waiting():
            if queue not in self._queues:
                self._queues[queue] = _Queue(self._env, queue, self._stopping)
            self._queues[queue].work.set()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is on its way meanwhile: what a reset throws away must not arrive after it."""
        with ExitStack() as held:
            for queue in self._queues.values():
                held.enter_context(queue.sending)
            yield

    def stop(self) -> None:
        self._stopping.set()
        for queue in self._queues.values():
            queue.work.set()
        for queue in self._queues.values():
            queue.thread.join(timeout=5)


class _Queue:
    def __init__(self, env: Environment, name: str, stopping: threading.Event) -> None:
        self._env = env
        self._name = name
        self._stopping = stopping
        self._client: ServiceBusClient | None = None
        self._sender: ServiceBusSender | None = None
        self.work = threading.Event()
        self.sending = threading.Lock()
        self.thread = threading.Thread(target=self._run, name=f"outbox {name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.work.clear()
            if self._env.events.mode == "stopped" or not self._send_due():
                self.work.wait(_POLL_S if self._env.store.waiting(self._name, 1) else None)
        self._close()

    def _send_due(self) -> bool:
        """Send what is due; False when nothing was."""
        sent = False
        while not self._stopping.is_set() and self._env.events.mode != "stopped":
            with self.sending:  # one by one: the next may have been thrown away meanwhile
                message = next(iter(self._env.store.waiting(self._name, 1)), None)
                if message is None or message.due > time.time():
                    return sent
                if not self._send(message):
                    gap = min(_LONGEST_GAP_S, 0.1 * 2 ** min(message.attempts, 10))
                    self._env.store.postpone(message.n, time.time() + gap)
                    return False
                self._env.store.sent(message.n)
            sent = True
        return False

    def _send(self, message: Waiting) -> bool:
        copies = 2 if self._env.events.mode == "duplicate" else 1
        try:
            sender = self._sender or self._connect()
            for _ in range(copies):
                sender.send_messages(
                    ServiceBusMessage(
                        message.body,
                        content_type="application/json",
                        message_id=uuid.uuid4().hex,
                        application_properties=dict(message.properties.items()),
                    ),
                    timeout=5,
                )
        except (ServiceBusError, OSError, ValueError) as error:
            log.warning("queue %s cannot be reached (%s); %d tries so far", self._name, error, message.attempts + 1)
            self._close()
            return False
        return True

    def _connect(self) -> ServiceBusSender:
        self._client = ServiceBusClient.from_connection_string(
            self._env.layout.service_bus_connection, retry_total=0, socket_timeout=5
        )
        self._sender = self._client.get_queue_sender(self._name)
        return self._sender

    def _close(self) -> None:
        sender, client, self._sender, self._client = self._sender, self._client, None, None
        for part in (sender, client):
            if part is None:
                continue
            try:
                part.close()
            except (ServiceBusError, OSError) as error:
                log.debug("closing %s: %s", self._name, error)
