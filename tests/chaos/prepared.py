"""A world that was made once and is then begun with again and again: what 2,000 runs have in common is done once.

`Prepared` keeps what the parts of a world hold as one pickle; their wiring (listeners, ports, the host) belongs to each
new world. Only a world at rest can be kept: nothing may be running.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from shared.domain.referral import Referral
from tests.chaos.people import People
from tests.chaos.world import World

_STATEFUL = ("clock", "rows", "dataverse", "center", "queues", "journal", "feeds")


class Prepared[P: People]:
    """`people` and their world, to be had again as they are now."""

    def __init__(self, people: P, world: World) -> None:
        self._frozen: list[Referral] = []
        out = io.BytesIO()
        parts = _parts(world)
        pickler = _Pickler(out, {id(part): name for name, part in parts.items()}, self._frozen)
        pickler.dump(({name: vars(parts[name]) for name in _STATEFUL}, people))
        self._kept = out.getvalue()

    def again(self, make: Callable[[], World]) -> tuple[P, World]:
        """The same people in a world that `make` builds, which then holds what the first one held."""
        world = make()
        parts = _parts(world)
        states, people = _Unpickler(io.BytesIO(self._kept), parts, self._frozen).load()
        for name, state in states.items():
            vars(parts[name]).update(state)
        return people, world


def _parts(world: World) -> dict[str, Any]:
    """Everything with an identity of its own, by name."""
    parts = {name: getattr(world, name) for name in _STATEFUL if name != "rows"}
    return {**parts, "rows": world.dataverse.rows, "world": world, "plan": world.plan}


class _Pickler(pickle.Pickler):
    """Names the parts instead of pickling them, and shares referrals, which are frozen."""

    def __init__(self, out: io.BytesIO, names: dict[int, str], frozen: list[Referral]) -> None:
        super().__init__(out, protocol=5)
        self._names, self._frozen = names, frozen

    def persistent_id(self, value: Any) -> str | int | None:
        if isinstance(value, Referral):
            self._frozen.append(value)
            return len(self._frozen) - 1
        return self._names.get(id(value))


class _Unpickler(pickle.Unpickler):
    def __init__(self, kept: io.BytesIO, parts: dict[str, Any], frozen: list[Referral]) -> None:
        super().__init__(kept)
        self._parts, self._frozen = parts, frozen

    def persistent_load(self, name: str | int) -> Any:
        return self._frozen[name] if isinstance(name, int) else self._parts[name]
