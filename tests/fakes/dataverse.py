"""Dataverse in memory, with the habits that matter to a sync: versions, keys, choices, lengths, closing, cascades.

`FakeDataverse` is the connector's port; `as_user` gives the same rows to a person, without the test's hooks. Every
write tells `on_change`, from which a simulation makes the messages that Dataverse posts. Fast: an equality filter uses
an index, which a column gets when it is first filtered on.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from shared.errors import Conflict, NotFound
from shared.ports import Clock, Column, Condition, Lookup, Row, Values
from tests.fakes.calls import Calls, port_call
from tests.fakes.dataverse_rows import Change, Rows, Stored, etag_of, meets, sortable
from tests.fakes.dataverse_schema import Definition, environment_variables
from tests.fakes.dataverse_values import (
    definition_of,
    duplicate,
    field_of,
    keep_customer,
    know_columns,
    known_columns,
    new_state,
    refused,
    stored_value,
    wrong,
)

APP_USER = "9a3e5c70-5147-f111-bec6-000d3a5b7c21"
SELLER = "44c7d9b2-1e3a-f011-877b-6045bd0a1e55"


@cache
def _currency_id(code: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, code))


class FakeDataverse(Calls):
    """`shared.ports.Dataverse`, writing as `writer`."""

    port = "dataverse"

    def __init__(self, clock: Clock, rows: Rows | None = None, writer: str = APP_USER) -> None:
        super().__init__()
        self.rows = rows or Rows(clock)
        self._clock = clock
        self._writer = writer
        if rows is None:
            self._seed()

    def as_user(self, user_id: str = SELLER) -> FakeDataverse:
        """The same rows for somebody else."""
        return FakeDataverse(self._clock, self.rows, user_id)

    def _seed(self) -> None:
        self.rows.variables = dict(environment_variables())
        for row_id, first, last in ((APP_USER, "Co-sell", "Connector"), (SELLER, "Sofie", "Seller")):
            email = f"{first}.{last}@fjordvik.example".lower()
            phone = "+47 90 00 11 22"
            values = {"firstname": first, "lastname": last, "internalemailaddress": email, "address1_telephone1": phone}
            self.rows.put("systemuser", row_id, {"systemuserid": row_id, "fullname": f"{first} {last}", **values})
        for code in ("USD", "EUR", "NOK"):
            row_id = _currency_id(code)
            currency = {"currencyname": code, "isocurrencycode": code, "currencyprecision": 2, "statecode": 0}
            self.rows.put("transactioncurrency", row_id, {"transactioncurrencyid": row_id, **currency})

    # rows -----------------------------------------------------------------------------------------------------------
    @port_call
    def get(
        self, table: str, row_id: str, columns: Sequence[str], expand: Mapping[str, Sequence[str]] | None = None
    ) -> Row:
        definition = definition_of(table)
        know_columns(table, tuple(columns))
        row = self._existing(table, row_id)
        return self._with_related(definition, row, columns, expand)

    @port_call
    def get_many(
        self,
        table: str,
        row_ids: Iterable[str],
        columns: Sequence[str],
        expand: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Row]:
        definition = definition_of(table)
        know_columns(table, tuple(columns))
        return {
            row_id: self._with_related(definition, row, columns, expand)
            for row_id in row_ids
            if (row := self.rows.get(table, row_id)) is not None
        }

    @port_call
    def find(
        self,
        table: str,
        where: Sequence[Condition],
        columns: Sequence[str],
        *,
        order_by: str | None = None,
        limit: int = 50,
    ) -> list[Row]:
        definition = definition_of(table)
        know_columns(table, (*columns, *(condition.column for condition in where)))
        ids = self.rows.candidates(table, where)
        found = [row for row_id in ids if (row := self.rows.all(table)[row_id]) and all(meets(row, c) for c in where)]
        # Without an order Dataverse answers by key; so that a run can be repeated, so does the fake.
        found.sort(key=lambda row: row[definition.key])
        if order_by:
            name, _, direction = order_by.partition(" ")
            field_of(definition, name)
            found.sort(key=lambda row: sortable(row.get(name)), reverse=direction == "desc")
        return [self.rows.view(table, row[definition.key], columns) for row in found[:limit]]

    @port_call
    def create(self, table: str, values: Values, row_id: str | None = None) -> str:
        return self._create(table, values, row_id)

    @port_call
    def update(self, table: str, row_id: str, values: Values, etag: str | None) -> None:
        definition = definition_of(table)
        row = self._existing(table, row_id)
        if etag is not None and etag != etag_of(row):
            raise Conflict("DV_VERSION", "The row was changed in Dynamics 365 meanwhile.", "Nothing to do.")
        checked = {name: self._checked(definition, name, value, creating=False) for name, value in values.items()}
        if "statecode" in checked or "statuscode" in checked:
            checked |= new_state(definition, row, checked)
        self._write(definition, row, checked, frozenset(values))

    @port_call
    def delete(self, table: str, row_id: str) -> None:
        self._delete(definition_of(table), row_id)

    # actions --------------------------------------------------------------------------------------------------------
    @port_call
    def close_opportunity(self, opportunity_id: str, *, won: bool, status: int, activity: Values) -> None:
        definition = definition_of("opportunity")
        row = self._existing("opportunity", opportunity_id)
        state = 1 if won else 2
        if row["statecode"] != 0 or definition.reasons.get(status) != state:
            raise refused("state")
        self._create("opportunityclose", {**activity, "opportunityid": Lookup("opportunity", opportunity_id)}, None)
        ended = activity.get("actualend")
        closed = {
            "statecode": state,
            "statuscode": status,
            "actualvalue": activity.get("actualrevenue", row.get("estimatedvalue") if won else Decimal(0)),
            "actualclosedate": ended.date() if isinstance(ended, datetime) else self._clock().date(),
        }
        self._write(definition, row, closed, frozenset({"statecode", "statuscode"}))

    @port_call
    def qualify_lead(self, lead_id: str, *, currency: Lookup | None, customer: Lookup | None) -> str:
        definition = definition_of("lead")
        row = self._existing("lead", lead_id)
        if row["statecode"] != 0:
            raise refused("not open")
        values = {
            "name": row.get("subject"),
            "description": row.get("description"),
            "originatingleadid": Lookup("lead", lead_id),
            "customerid": customer,
            "transactioncurrencyid": currency,
            "ownerid": row["ownerid"],
        }
        created = self._create("opportunity", {k: v for k, v in values.items() if v is not None}, None)
        qualified = {
            "statecode": 1,
            "statuscode": 3,
            "qualifyingopportunityid": Lookup("opportunity", created),
        }
        self._write(definition, row, qualified, frozenset({"statecode", "statuscode"}))
        return created

    # the environment ------------------------------------------------------------------------------------------------
    @port_call
    def user_id(self) -> str:
        return self._writer

    @port_call
    def columns(self, table: str) -> Mapping[str, Column]:
        fields = definition_of(table).fields.values()
        return {field.name: Column(field.name, field.kind, field.max_length, field.options) for field in fields}

    @port_call
    def environment_variables(self, prefix: str) -> Mapping[str, str]:
        return {name: value for name, value in self.rows.variables.items() if name.startswith(prefix.lower())}

    # writing --------------------------------------------------------------------------------------------------------
    def _create(self, table: str, values: Values, row_id: str | None) -> str:
        definition = definition_of(table)
        row_id = row_id or str(uuid.UUID(int=self.rows.ids.getrandbits(128), version=4))
        if self.rows.get(table, row_id) is not None:
            raise duplicate()
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        me = Lookup("systemuser", self._writer)
        row: Stored = {name: field.default for name, field in definition.fields.items() if field.default is not None}
        row |= {"statecode": 0, "statuscode": next(iter(definition.reasons))}
        row |= {name: self._checked(definition, name, value, creating=True) for name, value in values.items()}
        row |= {definition.key: row_id, "createdon": now, "createdby": me}
        if definition.owned:
            row.setdefault("ownerid", me)
        if definition.currency and row.get("transactioncurrencyid") is None:
            row["transactioncurrencyid"] = Lookup("transactioncurrency", _currency_id("USD"))
        self._store(definition, row, values, "Create", {}, frozenset(values))
        return row_id

    def _write(self, definition: Definition, before: Stored, values: Values, sent: frozenset[str]) -> None:
        self._store(definition, {**before, **values}, values, "Update", before, sent)

    def _store(
        self, definition: Definition, row: Stored, values: Values, message: str, before: Stored, sent: frozenset[str]
    ) -> None:
        if definition.name == "opportunity":
            keep_customer(row, values)
        if "fullname" in definition.fields:
            row["fullname"] = " ".join(filter(None, (row.get("firstname"), row.get("lastname")))) or None
        row = {name: value for name, value in row.items() if value is not None and value != ""}
        row |= {"modifiedon": self._clock().astimezone(UTC).replace(microsecond=0)}
        row |= {"modifiedby": Lookup("systemuser", self._writer)}
        row_id = row[definition.key]
        self._check_keys(definition, row_id, row)
        self.rows.put(definition.name, row_id, row)
        self._tell(message, definition.name, row_id, sent, before)

    def _delete(self, definition: Definition, row_id: str) -> None:
        before = self._existing(definition.name, row_id)
        for child, column, effect in definition.children:
            for child_id in sorted(self.rows.equal(child, column, row_id)):
                if effect == "Cascade":
                    self._delete(definition_of(child), child_id)
                else:
                    row = dict(self.rows.all(child)[child_id])
                    del row[column]
                    self.rows.put(child, child_id, row)
        self.rows.remove(definition.name, row_id)
        self._tell("Delete", definition.name, row_id, frozenset(), before)

    def _tell(self, message: str, table: str, row_id: str, columns: frozenset[str], before: Stored) -> None:
        change = Change(message, table, row_id, columns, self._writer, before, self._clock())
        for listener in self.rows.on_change:
            listener(change)

    def _check_keys(self, definition: Definition, row_id: str, row: Stored) -> None:
        for key in definition.keys:
            if any(row.get(column) is None for column in key):
                continue
            same = set.intersection(*(self.rows.equal(definition.name, c, row[c]) for c in key))
            if same - {row_id}:
                raise duplicate()

    def _checked(self, definition: Definition, name: str, value: Any, *, creating: bool) -> Any:
        field = field_of(definition, name)
        if not (field.creatable if creating else field.updatable):
            wrong(definition, name)
        if value is None:
            return None
        if field.targets:
            if not isinstance(value, Lookup) or value.table not in field.targets:
                wrong(definition, name)
            self._existing(value.table, value.id)
            return value
        return stored_value(definition, field, value)

    # reading --------------------------------------------------------------------------------------------------------
    def _with_related(
        self, definition: Definition, row: Stored, columns: Sequence[str], expand: Mapping[str, Sequence[str]] | None
    ) -> Row:
        view = self.rows.view(definition.name, row[definition.key], columns)
        if not expand:
            return view
        related = {key: self._related(definition, row, key, asked) for key, asked in expand.items()}
        return Row(view.table, view.id, view.etag, view.values, related)

    def _existing(self, table: str, row_id: str) -> Stored:
        row = self.rows.get(table, row_id)
        if row is None:
            raise NotFound("DV_NOT_FOUND", "The row does not exist in Dynamics 365.", "Nothing to do.")
        return row

    def _related(self, definition: Definition, row: Stored, key: str, columns: Sequence[str]) -> Row | list[Row] | None:
        if column := definition.child_columns.get(key):
            ids = sorted(self.rows.equal(key, column, row[definition.key]))
            return [self.rows.view(key, child_id, columns) for child_id in ids]
        field_of(definition, key)
        lookup = row.get(key)
        if not isinstance(lookup, Lookup) or (key == "ownerid" and lookup.table != "systemuser"):
            return None
        if self.rows.get(lookup.table, lookup.id) is None:
            return None
        return self.rows.view(lookup.table, lookup.id, known_columns(lookup.table, tuple(columns)))
