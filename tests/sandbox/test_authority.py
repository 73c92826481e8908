"""Keys and certificates are made once, by whoever comes first, and hold what a client checks."""

from __future__ import annotations

import multiprocessing
import ssl
import sys
from pathlib import Path

import pytest

from sandbox import authority
from sandbox.layout import Layout


def contents(layout: Layout) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in layout.state.glob("*.pem")}


@pytest.mark.sandbox
def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    start = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")  # as parts are started
    racers = [start.Process(target=authority.ensure, args=(layout,)) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    made = contents(layout)
    authority.ensure(layout)
    assert contents(layout) == made
    context = ssl.create_default_context(cafile=str(layout.ca_bundle))
    context.load_cert_chain(layout.server_certificate, layout.server_key)
    assert all(oct(path.stat().st_mode)[-3:] == "600" for path in layout.state.glob("*.pem"))


def test_what_is_missing_is_made_again(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    authority.ensure(layout)
    made = contents(layout)
    layout.server_key.unlink()
    authority.ensure(layout)
    changed = {name for name, content in contents(layout).items() if content != made[name]}
    assert changed == {layout.ca_bundle.name, layout.server_certificate.name, layout.server_key.name}
