"""`python -m sandbox.broker --state DIR`: the broker as a process.

Reads ports and the access key from the sandbox's layout, keeps its state in `DIR/broker.sqlite`, prints `ready ADDRESS`
when it listens and stops on SIGTERM or Ctrl-C. Whatever prevents the start is one sentence and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from sandbox.broker.admin import Admin
from sandbox.broker.broker import Broker
from sandbox.broker.entry import Rules
from sandbox.broker.namespace import Namespace
from sandbox.broker.sas import AccessKey
from sandbox.broker.store import Store
from sandbox.layout import LONG_MEMORIES_S, QUEUES, Layout


class AdminServer(uvicorn.Server):
    """uvicorn that leaves the signals to the broker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    options = _options(arguments)
    try:
        layout = Layout.load(options.state)
    except FileNotFoundError:
        return _fail(f"There is no sandbox in {options.state}: start `python -m sandbox` once, it makes one.")
    except ValueError:
        path = options.state / "sandbox.json"
        return _fail(f"{path} is not a sandbox's layout: remove it and start `python -m sandbox`, it makes a new one.")
    try:
        asyncio.run(_run(layout, options))
    except OSError as error:
        return _fail(f"The broker cannot listen: {error.strerror or error}. Is one already running on {options.state}?")
    except sqlite3.Error as error:
        path = layout.state / "broker.sqlite"
        return _fail(f"The broker's state {path} cannot be used ({error}). Free some disk space, or remove the file.")
    return 0


async def _run(layout: Layout, options: argparse.Namespace) -> None:
    with (
        socket.create_server(("127.0.0.1", layout.ports["broker"])) as listener,
        socket.create_server(("127.0.0.1", layout.ports["broker_admin"])) as admin_listener,
    ):
        # A socket made here and handed to the server lacks this; without it every kept-alive request waits 40 ms.
        admin_listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        store = Store(layout.state / "broker.sqlite")
        rules = Rules(
            lock_duration_ms=int(options.lock_duration_s * 1000),
            max_delivery_count=options.max_delivery_count,
            duplicate_window_ms=int(options.duplicate_window_s * 1000),
        )
        memories_ms = {queue: seconds * 1000 for queue, seconds in LONG_MEMORIES_S.items()}
        namespace = Namespace(QUEUES, rules, store, lambda: time.time_ns() // 1_000_000, memories_ms)
        store.load(namespace)
        access = AccessKey.of(layout.service_bus_connection)
        broker = Broker(namespace, store, access, options.message_size_limit)
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not loop.add_signal_handler, which Windows does not have.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        config = uvicorn.Config(
            Admin(broker).app(),
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=120,  # longer than a client keeps a connection, as the simulators do
            timeout_graceful_shutdown=1,
        )
        admin = AdminServer(config)
        serving = asyncio.create_task(admin.serve(sockets=[admin_listener]))
        server = await broker.listen(listener)
        print(f"ready 127.0.0.1:{layout.ports['broker']}", flush=True)
        broker.failure.add_done_callback(lambda _: stop.set())
        await stop.wait()
        server.close()
        await broker.close()
        admin.should_exit = True
        await serving
        if broker.failure.done():
            broker.failure.result()
        store.close()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.broker", description="The sandbox's Service Bus.")
    parser.add_argument("--state", type=Path, required=True, help="the sandbox's directory")
    parser.add_argument("--lock-duration-s", type=float, default=60.0, help="how long a received message stays locked")
    parser.add_argument(
        "--max-delivery-count", type=int, default=10, help="deliveries before a message is dead-lettered"
    )
    parser.add_argument("--duplicate-window-s", type=float, default=600.0, help="how long message ids are remembered")
    parser.add_argument("--message-size-limit", type=int, default=262_144, help="bytes a message or batch may have")
    return parser.parse_args(arguments)


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
