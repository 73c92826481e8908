"""Where a key's values are found: its index over the rows of one table, kept by the `store` as rows are written.

Which columns make a key, and how their values compare, is the caller's: see `Normal`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

type Normal = Callable[[Mapping[str, Any]], Hashable | None]
"""The values of a key in comparable form; None when one of them is empty."""


@dataclass(frozen=True)
class Index:
    """Normal form → id. Of rows that collide (a key that failed) one is known."""

    normal: Normal
    ids: dict[Hashable, str]

    def put(self, row_id: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """A row was written, or deleted when `new` is None."""
        before = None if old is None else self.normal(old)
        after = None if new is None else self.normal(new)
        if before is not None and before != after and self.ids.get(before) == row_id:
            del self.ids[before]
        if after is not None:
            self.ids[after] = row_id
