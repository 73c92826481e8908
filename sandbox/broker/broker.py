"""The broker at work: sockets, turns and time.

Every piece of input is handled at once in memory; then one *turn* runs: what is due happens, waiting receivers get
messages, the store commits, and only then the sockets are written. So an answer is never ahead of the disk, and all
connections share one commit. One task per connection reads; nothing else blocks.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from contextlib import suppress

from sandbox.broker.connection import Connection
from sandbox.broker.engine import Queue
from sandbox.broker.faults import Faults
from sandbox.broker.namespace import Namespace
from sandbox.broker.queue_links import Outbox
from sandbox.broker.sas import AccessKey
from sandbox.broker.store import Store


class Broker:
    """A namespace, its store and its connections."""

    def __init__(self, namespace: Namespace, store: Store, access: AccessKey, message_size_limit: int) -> None:
        self.namespace = namespace
        self.store = store
        self.access = access
        self.message_size_limit = message_size_limit
        self.faults = Faults()
        self.consumers: dict[str, list[Outbox]] = {}
        """Receivers by the queue they are attached to, the one longest without a message first."""
        self._writers: dict[Connection, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn_planned = False
        self._turned = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when the store does: what was not written must not be served on."""

    async def listen(self, listener: socket.socket) -> asyncio.Server:
        """Serves AMQP on a bound socket."""
        self.wake()
        return await asyncio.start_server(self._serve, sock=listener, limit=1 << 18)

    def wake(self) -> None:
        """Something happened: a turn runs as soon as all input that is already here was handled."""
        if not self._turn_planned:
            self._turn_planned = True
            asyncio.get_running_loop().call_soon(self.turn)

    def deliver(self, queue: Queue) -> None:
        """Hands ready messages to waiting receivers, in turns."""
        waiting = self.consumers.get(queue.name)
        while waiting and queue.has_ready():
            link = next((link for link in waiting if link.wants()), None)
            if link is None:
                return
            link.deliver()
            waiting.remove(link)
            waiting.append(link)

    def hold(self, connection: Connection, delay_s: float) -> None:
        """Lets the connection's output wait that long."""
        connection.held_until = asyncio.get_running_loop().time() + delay_s

    async def close(self) -> None:
        """Cuts every connection and waits until its task has ended."""
        self.drop_connections()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._timer is not None:
            self._timer.cancel()

    def drop_connections(self) -> int:
        """Cuts every connection without a word; how many there were."""
        for writer in self._writers.values():
            writer.transport.abort()
        return len(self._writers)

    def turn(self) -> None:
        """What is due, deliveries, commit, output. A store that fails ends the broker (`failure`)."""
        self._turn_planned = False
        self.namespace.run_due()
        for name in self.consumers:
            self.deliver(self.namespace.find(name))
        try:
            self.store.commit()
        except sqlite3.Error as error:
            if not self.failure.done():
                self.failure.set_exception(error)
            return
        for connection in self._writers:
            if connection.out or connection.doomed:
                self._write(connection)
        self._set_timer()
        self._turned.set()
        self._turned = asyncio.Event()

    async def next_turn(self, within_s: float) -> None:
        """Return after the next turn, or when the time is up: whoever waits for a state looks again then."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), within_s)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self)
        self._writers[connection] = writer
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while not connection.closed and (data := await reader.read(1 << 18)):
                connection.receive(data)
                self.wake()
        except ConnectionError:
            pass  # the peer is gone, which is all there is to know
        finally:
            self.turn()
            connection.lost()
            del self._writers[connection]
            writer.close()

    def _write(self, connection: Connection) -> None:
        """Writes what the connection has to say, now or, if a fault asks for it, later."""
        writer = self._writers.get(connection)
        if writer is None or writer.is_closing():
            return
        loop = asyncio.get_running_loop()
        if connection.doomed:
            writer.transport.abort()
        elif loop.time() < connection.held_until:
            loop.call_at(connection.held_until, self._write, connection)
        elif connection.out:
            writer.write(bytes(connection.out))
            connection.out.clear()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.namespace.next_due()
        if due is not None:
            delay_s = max(due - self.namespace.clock(), 1) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.wake)
