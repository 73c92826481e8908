"""A layout that has its keys and certificates already. For every test that is not about how they are made.

Making them takes a third of a second of processor time, and nothing but the host's name is in them: so one set is made
in each test process, and its files are copied. What makes them: `sandbox.authority`, tested by `test_authority`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox import authority
from sandbox.layout import Layout


def create_layout(state: Path, **ports: int) -> Layout:
    """As `Layout.create`."""
    layout = Layout.create(state, **ports)
    for name, content in _files().items():
        (layout.state / name).write_bytes(content)
    return layout


@cache
def _files() -> dict[str, bytes]:
    with TemporaryDirectory() as directory:
        layout = Layout.create(Path(directory))
        authority.ensure(layout)
        return {path.name: path.read_bytes() for path in layout.state.glob("*.pem")}
