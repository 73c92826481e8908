"""Turns a row change into the messages that its registered steps post, inside the transaction of the change.

The steps, images and endpoints are rows like any others. What is captured here is what will be sent, however long the
queue cannot be reached; `outbox` does the sending, `payload` knows the JSON.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.dataverse import payload
from sandbox.dataverse.environment import Caller, Environment
from sandbox.dataverse.payload import NO_ONE, Snapshot, pairs, reference
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.values import stamp

SIZE_LIMIT = 192 * 1024
_CLAIMS = "http://schemas.microsoft.com/xrm/2011/Claims/"
_NEWER_MEMBERS = (
    "InitiatingUserAgent",
    "InitiatingUserAzureActiveDirectoryObjectId",
    "UserAzureActiveDirectoryObjectId",
)
_DROPPED_WHEN_LARGE = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
_REORDER_WINDOW_S = 0.5


@dataclass(frozen=True)
class Event:
    """One Create, Update or Delete. `sent` are the columns the request named; `target` what the Target holds."""

    message: str
    table: Table
    id: str
    before: Row | None
    after: Row | None
    sent: Collection[str] = ()
    target: Mapping[str, Any] | None = None


def emit(env: Environment, caller: Caller, event: Event) -> None:
    """Post the event to the queue of every step registered for it; within a transaction only."""
    if env.events.mode == "drop":
        return
    for step_id, step in env.store.all("sdkmessageprocessingstep").items():
        if not _applies(env, step, event):
            continue
        endpoint = env.store.get(*step["eventhandler"])
        if endpoint is None or "path" not in endpoint:
            continue
        job = {
            "operation_id": str(uuid.uuid4()),
            "step_id": step_id,
            "message": event.message,
            "created_on": stamp(env.now()),
        }
        body, reduced = _body(env, caller, event, job)
        if body is None:
            continue  # too large even when reduced: the job fails and nothing is sent
        env.store.post(endpoint["path"], body, _properties(env, caller, event, endpoint, reduced), job, _due(env))


def _applies(env: Environment, step: Row, event: Event) -> bool:
    if step.get("statecode") != 0 or step.get("mode") != 1 or step.get("stage") != 40:
        return False
    if step.get("eventhandler", Ref("", "")).table != "serviceendpoint":
        return False
    message = env.store.get(*step["sdkmessageid"]) if "sdkmessageid" in step else None
    if message is None or message.get("name") != event.message:
        return False
    chosen = env.store.get(*step["sdkmessagefilterid"]) if "sdkmessagefilterid" in step else None
    if chosen is not None and chosen.get("primaryobjecttypecode") != event.table.name:
        return False
    wanted = {name.strip() for name in step.get("filteringattributes", "").split(",") if name.strip()}
    return event.message != "Update" or not wanted or not wanted.isdisjoint(event.sent)


def _due(env: Environment) -> float:
    late = random.uniform(0, _REORDER_WINDOW_S) if env.events.mode == "reorder" else 0.0
    return time.time() + env.events.delay_s + late


def _properties(env: Environment, caller: Caller, event: Event, endpoint: Row, reduced: bool) -> dict[str, str]:
    properties = {
        "Organization": f"{env.layout.dataverse_url}/",
        "User": caller.user_id,
        "InitiatingUser": caller.user_id,
        "InitiatingUserAgent": caller.user_agent,
        "EntityLogicalName": event.table.name,
        "RequestName": event.message,
    }
    if endpoint.get("userclaim", 1) == 1:
        del properties["User"], properties["InitiatingUser"]
    claims = {_CLAIMS + name: value for name, value in properties.items()}
    if reduced:
        prefix = _CLAIMS if env.events.oversize_key == "prefixed" else ""
        claims[f"{prefix}MessageMaxSizeExceeded"] = "true"
    return claims


def _body(env: Environment, caller: Caller, event: Event, job: Mapping[str, str]) -> tuple[bytes | None, bool]:
    """The document, and whether it was reduced; None when it stays too large."""
    context = _context(env, caller, event, job)
    body = payload.dump(context).encode()
    if len(body) <= SIZE_LIMIT:
        return body, False
    for member in _DROPPED_WHEN_LARGE:
        if env.events.oversize_members == "absent":
            context.pop(member, None)
        else:
            context[member] = None if env.events.oversize_members == "null" else []
    body = payload.dump(context).encode()
    return (body if len(body) <= SIZE_LIMIT else None), True


def _context(env: Environment, caller: Caller, event: Event, job: Mapping[str, str]) -> dict[str, Any]:
    switches, step = env.events, Ref("sdkmessageprocessingstep", job["step_id"])
    variables = {"IsAutoTransact": True, "AcceptLang": "en-US", "DefaultsAddedFlag": True}
    changed = {"__type": "KeyValuePairOfstringstring:#System.Collections.Generic"}
    shared = {**variables, "ChangedEntityTypes": [{**changed, "key": event.table.name, "value": event.message}]}
    parent_shared = dict(shared)
    if caller.tag is not None and switches.tag in ("top", "both"):
        shared["tag"] = caller.tag
    if caller.tag is not None and switches.tag in ("parent", "both"):
        parent_shared["tag"] = caller.tag
    if switches.unknown_members:
        shared["x-ms-app-name"] = "unknown"
    input_parameters = {"Target": _target(env, event, event.target)}
    context = _frame(env, caller, event) | {
        "OperationId": job["operation_id"],
        "OwningExtension": reference(step, typed=False),
        "InputParameters": pairs(input_parameters),
        "OutputParameters": pairs({"id": event.id}) if event.message == "Create" else [],
        "ParentContext": None,
        "PostEntityImages": _images(env, event, step, post=True),
        "PreEntityImages": _images(env, event, step, post=False),
        "SharedVariables": pairs(shared),
    }
    if switches.parent_context or (caller.tag is not None and switches.tag in ("parent", "both")):
        asked = {name: value for name, value in (event.target or {}).items() if name in event.sent}
        context["ParentContext"] = context | {
            "InputParameters": pairs({"Target": _target(env, event, asked), "SuppressDuplicateDetection": False}),
            "IsInTransaction": True,
            "OperationId": NO_ONE,
            "OutputParameters": [],
            "PostEntityImages": [],
            "PreEntityImages": [],
            "SharedVariables": pairs(parent_shared),
            "Stage": 30,
        }
    if switches.old_shape:
        context = {name: value for name, value in context.items() if name not in _NEWER_MEMBERS}
    if switches.unknown_members:
        context["AuthenticatedUserId"] = caller.user_id
        context["IsPortalsClientCall"] = False
    return dict(sorted(context.items()))


def _frame(env: Environment, caller: Caller, event: Event) -> dict[str, Any]:
    user = env.store.get("systemuser", caller.user_id) or {}
    unit = user.get("businessunitid") or env.root_business_unit()
    organization_id = env.layout.dataverse_organization_id
    return {
        "BusinessUnitId": unit.id,
        "CorrelationId": caller.correlation_id,
        "Depth": caller.depth,
        "InitiatingUserAgent": caller.user_agent,
        "InitiatingUserAzureActiveDirectoryObjectId": NO_ONE,
        "InitiatingUserId": caller.user_id,
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": event.message,
        "Mode": 1,
        "OperationCreatedOn": payload.date(env.now(), "+0000"),
        "OrganizationId": organization_id,
        "OrganizationName": f"unq{organization_id.replace('-', '')[:29]}",
        "PrimaryEntityId": event.id,
        "PrimaryEntityName": event.table.name,
        "RequestId": caller.request_id or caller.correlation_id,
        "SecondaryEntityName": "none",
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": NO_ONE,
        "UserId": caller.user_id,
    }


def _target(env: Environment, event: Event, values: Mapping[str, Any] | None) -> dict[str, Any]:
    if event.message == "Delete" or values is None:
        return reference(Ref(event.table.name, event.id))
    values = {event.table.primary_id: event.id, **values}
    snapshot = Snapshot(event.table, event.id, values, event.after or {})
    return payload.entity(env, snapshot, typed=True, formatted=event.message == "Create")


def _images(env: Environment, event: Event, step: Ref, *, post: bool) -> list[dict[str, Any]]:
    row = event.after if post else event.before
    images: dict[str, Any] = {}
    if post and (row is not None or env.events.delete_image):
        images["AsynchronousStepPrimaryName"] = _image(
            env, event, row or event.before or {}, [event.table.primary_name]
        )
    if row is None:
        return pairs(images)
    for image in env.store.all("sdkmessageprocessingstepimage").values():
        kinds = (1, 2) if post else (0, 2)
        if image.get("sdkmessageprocessingstepid") == step and image.get("imagetype") in kinds:
            names = [name.strip() for name in image.get("attributes", ",".join(event.table.columns)).split(",")]
            images[image["entityalias"]] = _image(env, event, row, names)
    return pairs(images)


def _image(env: Environment, event: Event, row: Row, names: Collection[str | None]) -> dict[str, Any]:
    values = {name: row.get(name) for name in names if name in event.table.columns and name != "versionnumber"}
    values[event.table.primary_id] = event.id
    return payload.entity(env, Snapshot(event.table, event.id, values, row), typed=False, formatted=True)
