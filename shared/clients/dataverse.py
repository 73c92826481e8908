"""Dataverse's Web API as the port `shared.ports.Dataverse`.

Updates always carry `If-Match` (a plain PATCH would re-create a deleted row), writes always carry the tag that tells
them from people's in the events they cause. One GET brings a row with its related rows, one `$batch` hundreds of
them. Spelling of tables and values: `shared.clients.dataverse_tables` and `dataverse_query`; what Dataverse's error
codes mean: `dataverse_failures`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import Any

from shared.clients import dataverse_query as odata
from shared.clients import failures
from shared.clients.dataverse_failures import DATAVERSE as DATAVERSE
from shared.clients.dataverse_metadata import Metadata
from shared.clients.dataverse_query import Kinds
from shared.clients.dataverse_tables import table
from shared.clients.http import Answer, HttpClient
from shared.clients.limiter import BULK_PATIENCE_S
from shared.clients.odata import literal, query, query_of
from shared.errors import UnknownOutcome
from shared.ports import Column, Condition, Lookup, Row, Values

_API = "/api/data/v9.2"
_TAG = "?tag=cosell-sync"
_LARGEST_PAGE = 5_000
_ROWS_AT_ONCE = 50
"""Rows that one part of a batch asks for by their ids; Dataverse counts the part as one call."""
_PARTS = 10
"""Parts of one batch: five hundred rows come well within the time that one answer may take."""
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

    def get_many(
        self,
        table: str,
        row_ids: Iterable[str],
        columns: Sequence[str],
        expand: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Row]:
        expand = expand or {}
        kinds = self._kinds(table, *_targets(table, expand))
        options = {"select": odata.select(table, columns)}
        if expand:
            options["expand"] = odata.expand(table, expand, kinds)
        asked = [
            f"{_API}/{_set_name(table)}{query({**options, 'filter': odata.where(table, [_one_of(table, some)])})}"
            for some in batched(dict.fromkeys(row_ids), _ROWS_AT_ONCE, strict=False)
        ]
        found: dict[str, Row] = {}
        for paths in batched(asked, _PARTS, strict=False):
            answers = self._http.get_many(f"{_API}/$batch", paths, headers=_READ, patience_s=BULK_PATIENCE_S)
            with _reading():
                rows = [odata.row(table, item, columns, kinds, expand) for page in answers for item in page["value"]]
            found |= {row.id: row for row in rows}
        return found

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


def _one_of(name: str, row_ids: Sequence[str]) -> Condition:
    return Condition(_key(name), row_ids, "in")


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
