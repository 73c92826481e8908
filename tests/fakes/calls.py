"""Where a test gets between a port call and its effect.

Every fake derives from `Calls`: before and after the effect of each port method it calls `before_call` and `after_call`
with `port.method`, such as `dataverse.update`. Raising in the first is a failure that applied nothing, raising in the
second an answer that was lost. `counts` says how often each method was entered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Concatenate

type Hook = Callable[[str], None]


def _nothing(call: str) -> None:
    """The hook of a world without faults."""


class Calls:
    """Base of all fakes; `port` names it in the hooks."""

    port = ""

    def __init__(self) -> None:
        self.before_call: Hook = _nothing
        self.after_call: Hook = _nothing
        self.counts: Counter[str] = Counter()


def port_call[S: Calls, **P, R](method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Marks a method of a port."""
    name = getattr(method, "__name__", "")

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        full_name = f"{self.port}.{name}"
        self.counts[full_name] += 1
        self.before_call(full_name)
        result = method(self, *args, **kwargs)
        self.after_call(full_name)
        return result

    return call
