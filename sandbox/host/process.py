"""The host as one process: index the app, listen on all triggers, stop cleanly. Called by `__main__`.

The event loop serves HTTP, timers and the calls into the worker; queue slots are threads. Order of a stop: no new
trigger, wait for what runs, give the rest back to the queues. Afterwards the caller must end the process, because a
function that still runs keeps its thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from sandbox.host import routes, runtime
from sandbox.host.admin import Admin
from sandbox.host.configuration import HostJson, StartError
from sandbox.host.http_trigger import HttpFront
from sandbox.host.invocations import Invocations
from sandbox.host.queue_trigger import Link, QueueListener
from sandbox.host.timer_trigger import DueTimes, tick
from sandbox.host.triggers import Function, QueueTrigger, TimerTrigger, understand

_log = logging.getLogger("sandbox.host")
CLOSING_S = 2.5
"""What closing may take: an SDK receiver needs one to two seconds, and all close at once."""


@dataclass(frozen=True)
class Options:
    """What the command line says. `grace_s`: how long a stop waits for running functions."""

    state: Path
    app: Path
    port: int
    key: str
    grace_s: float


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: this process decides when it stops."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(options: Options, settings: HostJson) -> None:
    """Serve until SIGTERM or SIGINT. StartError when the app or the port cannot be used."""
    functions = await _load(options.app)
    routing = routes.build(functions, settings.route_prefix)
    listener = _bind(options.port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    invocations = Invocations(functions, settings.function_timeout_s)
    link = Link()
    admin = Admin(functions, invocations, lambda: {"serviceBus": "connected" if link.up else "reconnecting"})
    server = _server(HttpFront(routing, settings, options.key, invocations, admin), options.grace_s)
    due = DueTimes(options.state / "host-timers.json")
    queues = [
        QueueListener(function, function.trigger, settings, invocations, link, loop)
        for function in functions
        if isinstance(function.trigger, QueueTrigger)
    ]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ready = asyncio.create_task(_say_ready(queues, options.port))
    timers = [
        asyncio.create_task(tick(function, function.trigger, invocations, due, stop))
        for function in functions
        if isinstance(function.trigger, TimerTrigger)
    ]
    await stop.wait()

    _log.info("stopping: no new triggers; what runs may take %g s more", options.grace_s)
    ready.cancel()
    server.should_exit = True
    for queue in queues:
        queue.stop()
    closing = asyncio.create_task(asyncio.to_thread(_join, queues, time.monotonic() + options.grace_s + CLOSING_S))
    work = [serving, closing, *timers, *admin.running]
    _, late = await asyncio.wait(work, timeout=options.grace_s)
    if late:
        for task in (*timers, *admin.running):
            task.cancel()
        for queue in queues:
            queue.give_up()
        await asyncio.wait(late, timeout=CLOSING_S)


async def _load(folder: Path) -> list[Function]:
    """The functions of the app in `folder`, which becomes the working directory and the first place of imports."""
    if not (folder / "function_app.py").is_file():
        raise StartError(f"{folder} holds no function_app.py; name the app's folder with --app.")
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        indexed = await runtime.index(folder)
    except runtime.LoadError as error:
        _log.debug("%s", error.traceback)
        reason = str(error).partition(" Cannot find module.")[0].strip()
        raise StartError(f"The app in {folder} does not load: {reason} (traceback: logs/host-detail.log).") from error
    except SystemExit as error:  # the app's import called sys.exit, which the worker does not catch
        raise StartError(f"The app in {folder} does not load: it ended with SystemExit: {error}.") from error
    if not indexed:
        raise StartError(f"The app in {folder} declares no function; decorate one in function_app.py.")
    functions = [understand(function) for function in indexed if not _disabled(function.name)]
    _log.info("%d functions: %s", len(functions), ", ".join(function.name for function in functions))
    return functions


def _disabled(name: str) -> bool:
    return any(
        os.environ.get(key, "").lower() in ("1", "true")
        for key in (f"AzureWebJobs.{name}.Disabled", f"AzureWebJobs_{name}_Disabled")
    )


def _bind(port: int) -> socket.socket:
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=512)
    except OSError as error:
        raise StartError(
            f"Port {port} cannot be used ({error.strerror}); stop what listens there or name another with --port."
        ) from error
    # asyncio sets this only where a socket names its protocol; without it each answer waits 40 ms for the caller's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _server(front: HttpFront, grace_s: float) -> _Server:
    config = uvicorn.Config(
        front,
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=120,  # about as long as the real host's Kestrel
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )
    return _Server(config)


async def _say_ready(queues: list[QueueListener], port: int) -> None:
    """Print the line others wait for, once every slot of every queue has an open receiver."""
    opened = asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()
    slots = sum(queue.start(lambda: loop.call_soon_threadsafe(opened.release)) for queue in queues)
    for _ in range(slots):
        await opened.acquire()
    print(f"ready http://127.0.0.1:{port}", flush=True)


def _join(queues: list[QueueListener], until: float) -> None:
    for queue in queues:
        queue.join(until)
