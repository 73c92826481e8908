"""What a function waits for, as frozen data: HTTP, a Service Bus queue or a timer. Pure apart from settings look-ups.

A binding that this host cannot run is refused at start with a sentence, never ignored: a function that silently does
not fire is the worst failure a host can have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from croniter import croniter

from sandbox.host.configuration import StartError, resolve
from sandbox.host.runtime import IndexedFunction


@dataclass(frozen=True)
class HttpTrigger:
    argument: str
    route: str
    methods: frozenset[str]
    """Upper-case; empty for any."""
    level: str
    """ANONYMOUS, FUNCTION or ADMIN."""


@dataclass(frozen=True)
class QueueTrigger:
    argument: str
    queue: str
    connection: str
    """A connection string."""
    binary: bool
    """Hand over bytes rather than text."""


@dataclass(frozen=True)
class TimerTrigger:
    argument: str
    schedule: str
    """Six fields, seconds first."""
    run_on_startup: bool


@dataclass(frozen=True)
class Function:
    name: str
    id: str
    trigger: HttpTrigger | QueueTrigger | TimerTrigger


def understand(indexed: IndexedFunction) -> Function:
    """The function's trigger; StartError names what this host cannot run."""
    place = f"Function {indexed.name}"
    inputs = [binding for binding in indexed.bindings if binding.get("direction") == "IN"]
    outputs = [binding["type"] for binding in indexed.bindings if binding.get("direction") != "IN"]
    if len(inputs) != 1:
        raise StartError(f"{place} has {len(inputs)} input bindings; this host runs functions with one trigger only.")
    foreign = [kind for kind in outputs if kind != "http"]
    if foreign:
        raise StartError(f"{place} has the output binding {foreign[0]}; send through the service's SDK instead.")
    binding = inputs[0]
    trigger = _trigger(binding, place)
    return Function(indexed.name, indexed.id, trigger)


def _trigger(binding: Mapping[str, Any], place: str) -> HttpTrigger | QueueTrigger | TimerTrigger:
    kind, argument = binding["type"], binding["name"]
    if kind == "httpTrigger":
        methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
        return HttpTrigger(argument, binding.get("route") or "", methods, binding.get("authLevel", "FUNCTION"))
    if kind == "timerTrigger":
        schedule = resolve(binding["schedule"], place)
        if len(schedule.split()) != 6 or not croniter.is_valid(schedule, second_at_beginning=True):
            raise StartError(f'{place} has the schedule "{schedule}"; write six fields, such as "0 */5 * * * *".')
        return TimerTrigger(argument, schedule, bool(binding.get("runOnStartup")))
    if kind == "serviceBusTrigger" and "queueName" in binding:
        if binding.get("isSessionsEnabled") or binding.get("cardinality", "ONE") != "ONE":
            raise StartError(f"{place} wants sessions or batches; this host hands over one message at a time.")
        queue = resolve(binding["queueName"], place)
        return QueueTrigger(argument, queue, _connection(binding, place), binding.get("dataType") == "BINARY")
    raise StartError(f"{place} has the trigger {kind}; this host runs httpTrigger, timerTrigger and queue triggers.")


def _connection(binding: Mapping[str, Any], place: str) -> str:
    name = binding.get("connection") or "ServiceBus"
    value = os.environ.get(name) or os.environ.get(f"AzureWebJobs{name}")
    if not value:
        raise StartError(f"{place} needs the connection string {name}; add it to the settings file's Values.")
    return value
