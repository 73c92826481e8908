"""What the platform refuses in the registration of steps and images, before the rows are stored."""

from __future__ import annotations

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Row
from sandbox.tokens import Refusal

_WEBHOOK = 8
_IMAGE_PROPERTY = "0x8004416b"


def check(env: Environment, table: Table, row: Row) -> None:
    """400 for a step or image that cannot work; other tables pass."""
    if table.name == "sdkmessageprocessingstep":
        _check_step(env, row)
    elif table.name == "sdkmessageprocessingstepimage":
        _check_image(env, row)


def _check_step(env: Environment, row: Row) -> None:
    if "sdkmessageid" not in row or "eventhandler" not in row:
        raise errors.invalid("A step needs a message and an event handler.")
    endpoint = env.store.get(*row["eventhandler"]) or {}
    if row.get("mode") != 1 and endpoint.get("contract") != _WEBHOOK:
        raise errors.invalid("A step whose handler is a Service Bus endpoint must be asynchronous.")
    if row.get("mode") == 1 and row.get("stage") != 40:
        raise errors.invalid("An asynchronous step must be registered in the post-operation stage.")
    chosen = env.store.get(*row["sdkmessagefilterid"]) if "sdkmessagefilterid" in row else None
    if chosen is None:
        return
    table = env.schema.tables[chosen["primaryobjecttypecode"]]
    for name in row.get("filteringattributes", "").split(","):
        if name and name not in table.columns:
            raise errors.invalid(f"The filtering attribute '{name}' does not exist on {table.name}.")


def _check_image(env: Environment, row: Row) -> None:
    step = env.store.get(*row["sdkmessageprocessingstepid"]) if "sdkmessageprocessingstepid" in row else None
    if step is None:
        raise errors.invalid("An image needs a step.")
    message = (env.store.get(*step["sdkmessageid"]) or {}).get("name")
    wanted = "Id" if message == "Create" else "Target"
    if row.get("messagepropertyname") != wanted:
        raise Refusal(
            400,
            _IMAGE_PROPERTY,
            f"Message property name '{row.get('messagepropertyname')}' is not valid on message {message}.",
        )
    if (message, row.get("imagetype")) in (("Create", 0), ("Create", 2), ("Delete", 1), ("Delete", 2)):
        raise errors.invalid(f"The message {message} has no image of this type.")
