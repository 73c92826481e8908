"""The state directory of one sandbox: who holds it, and what of an earlier run is kept.

One sandbox a directory: the holder keeps a lock that the system releases when its process ends, however it ends. Only a
directory that a sandbox made is ever emptied. What stands in the layout: `sandbox.layout`.
"""

from __future__ import annotations

import fcntl
import shutil
import socket
from pathlib import Path
from typing import IO

from sandbox.layout import PARTS, Layout

PAGE_PORT = 8710
"""The page's usual port, so that its address stays the same from run to run; a free one when it is taken."""
_LOCK = ".running"


class CannotStart(Exception):
    """One sentence for the person at the terminal; exit code 2."""


class StateDirectory:
    """Use as a context manager; entering it takes the lock and yields the layout."""

    def __init__(self, path: Path, *, keep: bool, ports: dict[str, int]) -> None:
        self._path = path.resolve()
        self._keep = keep
        self._ports = ports
        self._lock: IO[str] | None = None

    def __enter__(self) -> Layout:
        if self._path.exists() and not self._path.is_dir():
            raise CannotStart(f"{self._path} is a file; name a directory with --state.")
        strangers = self._path.is_dir() and any(self._path.iterdir()) and not self._is_ours()
        if strangers:
            raise CannotStart(f"{self._path} holds other files; name an empty or a new directory with --state.")
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._lock = (self._path / _LOCK).open("a+")
        except OSError as error:
            raise CannotStart(
                f"{self._path} cannot be written ({error.strerror}); name another with --state."
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            page = self._lock.read().strip()
            self._lock.close()
            raise CannotStart(
                f"A sandbox is running already; its page is {page or 'about to start'}. "
                "Use that one, stop it with Ctrl-C, or start another with --state DIRECTORY."
            ) from None
        layout = self._layout()
        self._lock.truncate(0)
        self._lock.write(layout.page_url)
        self._lock.flush()
        return layout

    def __exit__(self, *_: object) -> None:
        if self._lock:
            self._lock.truncate(0)
            self._lock.close()

    def _is_ours(self) -> bool:
        return (self._path / "sandbox.json").exists() or (self._path / _LOCK).exists()

    def _layout(self) -> Layout:
        earlier = self._earlier() if self._keep else None
        if not self._keep:
            for entry in self._path.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name != _LOCK:
                    entry.unlink()
        if earlier is None:
            page = self._ports.get("page") or (PAGE_PORT if _is_free(PAGE_PORT) else 0)
            return Layout.create(self._path, **{**self._ports, "page": page})
        return Layout.create(self._path, **{**earlier.ports, **self._ports})

    def _earlier(self) -> Layout | None:
        try:
            return Layout.load(self._path)
        except FileNotFoundError:
            return None
        except ValueError:
            raise CannotStart(f"{self._path}/sandbox.json cannot be read; start without --keep.") from None


def port(text: str) -> int:
    """A port number from the command line; ValueError outside 1–65535."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError(text)
    return number


def port_options() -> dict[str, str]:
    """Command-line option → the name of the port in the layout."""
    return {f"--port-{name.replace('_', '-')}": name for name in PARTS}


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True
