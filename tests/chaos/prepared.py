"""A world that was made once and is then begun with again and again: what 2,000 runs have in common is done once.

`Prepared` keeps what the parts of a world hold as one pickle; their wiring (listeners, ports, the host) belongs to each
new world. What is only ever replaced and never changed is no part of the pickle: all worlds share it. Only a world at
rest can be kept: nothing may be running.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from shared.domain.referral import Referral
from tests.chaos.people import People
from tests.chaos.world import World

_FEW = 600
"""A random generator's state is a tuple of more numbers."""
_STATEFUL = ("clock", "rows", "dataverse", "center", "queues", "journal", "feeds")


class Prepared[P: People]:
    """`people` and their world, to be had again as they are now."""

    def __init__(self, people: P, world: World) -> None:
        self._shared = [*world.dataverse.rows.everything(), *world.center.documents.values()]
        out = io.BytesIO()
        parts = _parts(world)
        pickler = _Pickler(out, {id(part): name for name, part in parts.items()}, self._shared)
        pickler.dump(({name: vars(parts[name]) for name in _STATEFUL}, people))
        self._kept = out.getvalue()

    def again(self, make: Callable[[], World]) -> tuple[P, World]:
        """The same people in a world that `make` builds, which then holds what the first one held."""
        world = make()
        parts = _parts(world)
        states, people = _Unpickler(io.BytesIO(self._kept), parts, self._shared).load()
        for name, state in states.items():
            vars(parts[name]).update(state)
        return people, world


def _parts(world: World) -> dict[str, Any]:
    """Everything with an identity of its own, by name."""
    parts = {name: getattr(world, name) for name in _STATEFUL if name != "rows"}
    return {**parts, "rows": world.dataverse.rows, "world": world, "plan": world.plan}


class _Pickler(pickle.Pickler):
    """Names the parts and what is shared instead of pickling them; adds referrals and random generators' states."""

    def __init__(self, out: io.BytesIO, names: dict[int, str], shared: list[Any]) -> None:
        super().__init__(out, protocol=5)
        self._shared = shared
        self._names: dict[int, str | int] = {**names, **{id(value): place for place, value in enumerate(shared)}}

    def persistent_id(self, value: Any) -> str | int | None:
        name = self._names.get(id(value))
        if name is None and (isinstance(value, Referral) or (isinstance(value, tuple) and len(value) > _FEW)):
            name = self._names[id(value)] = len(self._shared)
            self._shared.append(value)  # which also keeps its id its own
        return name


class _Unpickler(pickle.Unpickler):
    def __init__(self, kept: io.BytesIO, parts: dict[str, Any], shared: list[Any]) -> None:
        super().__init__(kept)
        self._parts, self._shared = parts, shared

    def persistent_load(self, name: str | int) -> Any:
        return self._shared[name] if isinstance(name, int) else self._parts[name]
