"""Dataverse's Web API as the port `shared.ports.Dataverse`.

Updates always carry `If-Match` (a plain PATCH would re-create a deleted row), writes always carry the tag that tells
them from people's in the events they cause. One GET brings a row with its related rows. Spelling of tables and values:
`shared.clients.dataverse_tables` and `dataverse_query`. What Dataverse's error codes mean stands here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from shared.clients import dataverse_query as odata
from shared.clients import failures
from shared.clients.dataverse_metadata import Metadata
from shared.clients.dataverse_query import Kinds
from shared.clients.dataverse_tables import table
from shared.clients.failures import Meaning, Vendor
from shared.clients.http import Answer, HttpClient
from shared.clients.odata import literal, query, query_of
from shared.errors import AuthorizationError, ConfigurationError, Conflict, DataProblem, NotFound, UnknownOutcome
from shared.ports import Column, Condition, Lookup, Row, Values

_VERSION = Meaning(
    Conflict, "VERSION", "The row was changed in Dynamics 365 meanwhile.", "Nothing to do: it is read again."
)
_DUPLICATE = Meaning(
    Conflict, "DUPLICATE", "Dynamics 365 has a row with this id or key already.", "Nothing to do: it is read again."
)
_GONE = Meaning(NotFound, "NOT_FOUND", "The row does not exist in Dynamics 365.", "Nothing to do unless it should.")
_COLUMN = Meaning(
    ConfigurationError,
    "COLUMN",
    "Dynamics 365 does not know a column, or has it with another type.",
    "Install the connector's columns, or correct the field mapping.",
)
_LIMIT = Meaning(
    DataProblem,
    "LIMIT",
    "A value is longer or larger than its column in Dynamics 365 allows.",
    "Shorten the value in Partner Center, or widen the column.",
)
_CHOICE = Meaning(
    DataProblem, "CHOICE", "Dynamics 365 does not have this choice.", "Add it to the column, or correct the mapping."
)
_RULE = Meaning(
    DataProblem,
    "RULE",
    "A rule of this Dynamics 365 environment refused the change.",
    "Follow the rule's own words, or exempt the connector's user from it.",
)
_CURRENCY = Meaning(
    DataProblem,
    "CURRENCY_LOCKED",
    "The currency of this opportunity is fixed by its price list or its products.",
    "Remove the price list or the products, or keep the currency in Partner Center.",
)
_UNVERSIONED = Meaning(
    ConfigurationError,
    "NO_VERSIONS",
    "A table has no optimistic concurrency, without which edits could be lost.",
    "Enable it for the table (IsOptimisticConcurrencyEnabled).",
)
_NO_USER = Meaning(
    AuthorizationError,
    "NO_USER",
    "Dynamics 365 has no application user for the connector, or it is disabled.",
    "Create or enable it in the Power Platform admin center: Environment, Application users.",
)
DATAVERSE = Vendor(
    "DV",
    "Dynamics 365",
    sign_in="Check DATAVERSE_URL and the managed identity of the app.",
    access="Give the connector's application user its security role in Dynamics 365.",
    codes={
        "0x80060882": _VERSION,
        "0x80040237": _DUPLICATE,
        "0x80060892": _DUPLICATE,
        "0x80040333": _DUPLICATE,
        "0x80073002": _DUPLICATE,
        "0x80040217": _GONE,
        "0x80060891": _GONE,
        "0x80048d19": _COLUMN,
        "0x80060888": _COLUMN,
        "0x80041102": _COLUMN,
        "0x80044331": _LIMIT,
        "0x8004432f": _LIMIT,
        "0x80044330": _LIMIT,
        "0x8004431a": _CHOICE,
        "0x80040265": _RULE,
        "0x80048479": _CURRENCY,
        "0x80060883": _UNVERSIONED,
        "0x80072560": _NO_USER,
        "0x80040225": _NO_USER,
        "0x8004d24b": _NO_USER,
    },
)

_API = "/api/data/v9.2"
_TAG = "?tag=cosell-sync"
_LARGEST_PAGE = 5_000
_READ = {
    "If-None-Match": "null",  # past any cache
    "Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.lookuplogicalname"',
}
_ROW_ID = re.compile(r"\(([0-9a-fA-F-]{36})\)$")


def dataverse_headers(correlation_id: str) -> Mapping[str, str]:
    """The Web API's own headers for one attempt."""
    return {
        "OData-Version": "4.0",
        "OData-MaxVersion": "4.0",
        "x-ms-client-request-id": str(uuid.uuid4()),
        "x-ms-correlation-id": correlation_id,
        "User-Agent": "co-sell-connector",
    }


class DataverseClient:
    """`http` stands for the environment, such as https://contoso.crm.dynamics.com, without a path."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._metadata = Metadata(self._get)
        self._user_id: str | None = None

    # rows -----------------------------------------------------------------------------------------------------------
    def get(
        self, table: str, row_id: str, columns: Sequence[str], expand: Mapping[str, Sequence[str]] | None = None
    ) -> Row:
        expand = expand or {}
        kinds = self._kinds(table, *_targets(table, expand))
        options = {"select": odata.select(table, columns)}
        if expand:
            options["expand"] = odata.expand(table, expand, kinds)
        answer = self._get(odata.row_path(table, row_id) + query(options))
        with _reading():
            return odata.row(table, answer, columns, kinds, expand)

    def find(
        self,
        table: str,
        where: Sequence[Condition],
        columns: Sequence[str],
        *,
        order_by: str | None = None,
        limit: int = 50,
    ) -> list[Row]:
        options = {"select": odata.select(table, columns)}
        if where:
            options["filter"] = odata.where(table, where)
        if order_by:
            options["orderby"] = odata.order(table, order_by)
        if limit <= _LARGEST_PAGE:
            options["top"] = str(limit)
        path = f"/{_set_name(table)}"
        kinds = self._kinds(table)
        rows: list[Row] = []
        seen: set[str] = set()
        page = self._get(path + query(options))
        while True:
            with _reading():
                rows += [odata.row(table, document, columns, kinds) for document in page["value"]]
            link = page.get("@odata.nextLink")
            if not link or len(rows) >= limit:
                return rows[:limit]
            with _reading():
                asked = query_of(link)
            if asked in seen:
                raise failures.unreadable(DATAVERSE, repeatable=True)
            seen.add(asked)
            page = self._get(f"{path}?{asked}")

    def create(self, table: str, values: Values, row_id: str | None = None) -> str:
        body = odata.body(table, values)
        if row_id is not None:
            body[_key(table)] = row_id
        answer = self._write("POST", f"/{_set_name(table)}", body)
        found = _ROW_ID.search(answer.headers.get("OData-EntityId", ""))
        if found is None:
            raise UnknownOutcome(
                "DV_CREATED_WITHOUT_ID",
                "Dynamics 365 created a row without telling its id.",
                "Nothing to do: the connector looks it up.",
            )
        return found.group(1).lower()

    def update(self, table: str, row_id: str, values: Values, etag: str | None) -> None:
        self._write("PATCH", odata.row_path(table, row_id), odata.body(table, values), {"If-Match": etag or "*"})

    def delete(self, table: str, row_id: str) -> None:
        self._write("DELETE", odata.row_path(table, row_id))

    # actions --------------------------------------------------------------------------------------------------------
    def close_opportunity(self, opportunity_id: str, *, won: bool, status: int, activity: Values) -> None:
        closing = odata.body("opportunityclose", {**activity, "opportunityid": Lookup("opportunity", opportunity_id)})
        action = "WinOpportunity" if won else "LoseOpportunity"
        self._write("POST", f"/{action}", {"Status": status, "OpportunityClose": closing})

    def qualify_lead(self, lead_id: str, *, currency: Lookup | None, customer: Lookup | None) -> str:
        body: dict[str, Any] = {
            "CreateAccount": False,
            "CreateContact": False,
            "CreateOpportunity": True,
            "Status": 3,
        }
        if currency is not None:
            body["OpportunityCurrencyId"] = _reference(currency)
        if customer is not None:
            body["OpportunityCustomerId"] = _reference(customer)
        answer = self._write("POST", f"{odata.row_path('lead', lead_id)}/Microsoft.Dynamics.CRM.QualifyLead", body)
        created = answer.body.get("value") if isinstance(answer.body, dict) else None
        for document in created or []:
            if isinstance(document, dict) and "opportunityid" in document:
                return str(document["opportunityid"]).lower()
        raise UnknownOutcome(
            "DV_QUALIFIED_WITHOUT_ID",
            "Dynamics 365 qualified a lead without telling the opportunity's id.",
            "Nothing to do: the connector looks it up.",
        )

    # the environment ------------------------------------------------------------------------------------------------
    def user_id(self) -> str:
        if self._user_id is None:
            with _reading():
                self._user_id = str(self._get("/WhoAmI")["UserId"]).lower()
        return self._user_id

    def columns(self, table: str) -> Mapping[str, Column]:
        with _reading():
            return self._metadata.columns(table)

    def environment_variables(self, prefix: str) -> Mapping[str, str]:
        values = "environmentvariabledefinition_environmentvariablevalue"
        options = {
            "select": "schemaname,defaultvalue",
            "filter": f"startswith(schemaname,{literal(prefix)})",
            "expand": f"{values}($select=value)",
        }
        answer = self._get(f"/environmentvariabledefinitions{query(options)}")
        found: dict[str, str] = {}
        with _reading():
            for document in answer["value"]:
                current = next((item.get("value") for item in document.get(values) or []), None)
                value = document.get("defaultvalue") if current is None else current
                if value is not None:
                    found[str(document["schemaname"]).lower()] = str(value)
        return found

    def _kinds(self, *tables: str) -> dict[str, Kinds]:
        with _reading():
            return {name: self._metadata.kinds(name) for name in tables}

    # calls ----------------------------------------------------------------------------------------------------------
    def _get(self, path: str) -> dict[str, Any]:
        answer = self._http.get(_API + path, headers=_READ)
        if not isinstance(answer.body, dict):
            raise failures.unreadable(DATAVERSE, repeatable=True)
        return answer.body

    def _write(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self._http.request(method, f"{_API}{path}{_TAG}", headers=headers, body=body)


def _targets(name: str, expand: Mapping[str, Sequence[str]]) -> list[str]:
    return [target for key in expand for target in odata.navigations(name, key)]


def _set_name(name: str) -> str:
    return table(name).set_name


def _key(name: str) -> str:
    return table(name).key


def _reference(lookup: Lookup) -> dict[str, str]:
    return {"@odata.type": f"Microsoft.Dynamics.CRM.{lookup.table}", _key(lookup.table): lookup.id}


@contextmanager
def _reading() -> Iterator[None]:
    """An answer in another shape than Dataverse's comes from something in between, and passes."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise failures.unreadable(DATAVERSE, repeatable=True) from None
