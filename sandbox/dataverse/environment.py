"""One simulated Dataverse environment: its schema, its rows, its clock and the switches that tests turn.

Also who is calling (`Caller`) and the few facts about other rows that many modules ask for. It decides nothing about
requests: reading is in `query`, writing in `writes`, events in `events`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.dataverse import definitions
from sandbox.dataverse.schema import Column, Schema
from sandbox.dataverse.store import Contents, Ref, Row, Store, Waiting
from sandbox.dataverse.values import labelled
from sandbox.layout import Layout


class EventSwitches(BaseModel):
    """How change messages are sent. The variants are those on which documentation and captures disagree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["normal", "stopped", "drop", "duplicate", "reorder"] = "normal"
    """stopped: jobs wait. duplicate: each is sent twice with the same OperationId. reorder: overtaking within 0.5 s."""
    delay_s: float = 0.0
    tag: Literal["top", "parent", "both", "none"] = "top"
    parent_context: bool = False
    """Wrap the operation in a stage 30 parent context."""
    oversize_key: Literal["bare", "prefixed"] = "bare"
    oversize_members: Literal["absent", "null", "empty"] = "absent"
    date_offset: bool = False
    """Write `+0000` into attribute dates too."""
    close_values: bool = False
    """After a win or loss, a second Update with actualvalue and actualclosedate."""
    old_shape: bool = False
    """Leave out the members that older environments did not send."""
    unknown_members: bool = False
    """Add members and shared variables nobody documented."""
    delete_image: bool = True
    """Send AsynchronousStepPrimaryName on Delete."""


class RowSwitches(BaseModel):
    """How the Web API behaves where the vendor's sources are silent or disagree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    closed_rows: Literal["editable", "read-only"] = "editable"
    key_upsert_if_none_match: Literal["creates", "not-found"] = "creates"
    """`PATCH` on a free alternate key with `If-None-Match: *`."""
    throttle: Literal["requests", "time", "concurrency"] = "requests"
    """Which of the three limits a 429 speaks of."""
    denied_privileges: tuple[str, ...] = ()
    """Privileges the connector's role lacks, such as prvWriteOpportunity."""
    required_columns: tuple[str, ...] = ()
    """Columns such as opportunity.new_kind without which a plug-in of the environment refuses a new row."""
    requests_per_window: int = 6000
    window_s: int = 300
    key_activation_s: float = 0.0
    """How long the index of a new alternate key takes to build."""
    customization_busy: int = 0
    """How many of the next metadata writes meet another customisation that is still running."""
    column_visible_s: float = 0.0
    """How long the data API does not know a new column."""


class Interleaved(BaseModel):
    """An edit by another user that gets in before the connector's next PATCH of the row. `values` as a PATCH body."""

    model_config = ConfigDict(extra="forbid")

    table: str
    id: str
    values: dict[str, Any]
    times: int = Field(default=1, ge=1)
    user: str = ""


@dataclass(frozen=True)
class Caller:
    """Who makes a request, and what its messages say about it. One per external request."""

    user_id: str
    is_connector: bool = False
    user_agent: str = ""
    tag: str | None = None
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    request_id: str | None = None
    depth: int = 1


class Environment:
    """The parts, held together. `schema` is loaded from the store and saved after every metadata write."""

    def __init__(self, layout: Layout, now: Callable[[], datetime]) -> None:
        self.layout = layout
        self.now = now
        self.store = Store(layout.state / "dataverse.sqlite")
        self.interleaved: list[Interleaved] = []
        self.firsts: dict[bool, Contents] = {}
        """What `seed` began with, by whether the custom part was in it."""
        self.reload()

    def reload(self) -> None:
        """Take schema and switches from the store."""
        saved = self.store.setting("schema")
        self.schema = definitions.load(with_custom=True) if saved is None else Schema.model_validate(saved)
        self.events = EventSwitches.model_validate(self.store.setting("events", {}))
        self.switches = RowSwitches.model_validate(self.store.setting("switches", {}))

    def start_over(self, schema: Schema) -> None:
        """Forget all rows and switches and begin with `schema`, which is yet to be saved."""
        self.store.clear()
        self.interleaved.clear()
        self.schema = schema
        self.events, self.switches = EventSwitches(), RowSwitches()

    def save_schema(self) -> None:
        self.store.put_setting("schema", self.schema.model_dump())

    def set_events(self, switches: EventSwitches) -> None:
        self.events = switches
        self.store.put_setting("events", switches.model_dump())

    def set_switches(self, switches: RowSwitches) -> None:
        self.switches = switches
        self.store.put_setting("switches", switches.model_dump())

    # facts ----------------------------------------------------------------------------------------------------------
    def organization(self) -> Row:
        return next(iter(self.store.all("organization").values()))

    def base_currency(self) -> Ref:
        currency: Ref = self.organization()["basecurrencyid"]
        return currency

    def root_business_unit(self) -> Ref:
        units = self.store.all("businessunit")
        return Ref("businessunit", next(i for i, unit in units.items() if "parentbusinessunitid" not in unit))

    def name_of(self, ref: Ref) -> str | None:
        """The primary name of the row a lookup points to."""
        row, column = self.store.get(*ref), self.schema.tables[ref.table].primary_name
        return None if row is None or column is None else row.get(column)

    def currency_of(self, row: Row) -> Row:
        """The currency row whose symbol, precision and rate apply to `row`."""
        chosen = self.store.get(*row["transactioncurrencyid"]) if "transactioncurrencyid" in row else None
        return chosen or self.store.get(*self.base_currency()) or {}

    def rows_of(self, table: str) -> dict[str, Row]:
        """Id → row, system jobs included, which are no stored rows but the messages that wait."""
        if table != "asyncoperation":
            return self.store.all(table)
        return {waiting.job["operation_id"]: self._system_job(waiting) for waiting in self.store.waiting(limit=5000)}

    def _system_job(self, waiting: Waiting) -> Row:
        step = Ref("sdkmessageprocessingstep", waiting.job["step_id"])
        tried = waiting.attempts > 0
        return {
            "asyncoperationid": waiting.job["operation_id"],
            "name": self.name_of(step) or "",
            "statecode": 1 if tried else 0,
            "statuscode": 10 if tried else 0,
            "operationtype": 1,
            "messagename": waiting.job["message"],
            "retrycount": waiting.attempts,
            "createdon": waiting.job["created_on"],
            "owningextensionid": step,
            "versionnumber": self.store.version,
        }

    def formatted(self, column: Column, value: Any, row: Row) -> str | None:
        """A value's text for people, as in formatted-value annotations and images."""
        if isinstance(value, Ref):
            return self.name_of(value)
        if column.kind == "Money":
            base = column.name.endswith("_base")
            currency = (self.store.get(*self.base_currency()) or {}) if base else self.currency_of(row)
            amount: Decimal = value
            places = int(currency.get("currencyprecision", 2))
            sign, symbol = ("-" if amount < 0 else ""), currency.get("currencysymbol", "$")
            return f"{sign}{symbol}{abs(amount):,.{places}f}"
        return labelled(column, value)
