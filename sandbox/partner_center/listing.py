"""The list of referrals: OData's options read strictly, rows chosen, ordered and cut into pages.

A next link carries everything in its opaque token, so that a client that adds options to it is answered the same. Rows
are documents; `api` renders them. Which filter expressions exist is `filter`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import QueryParams

from sandbox.layout import Layout
from sandbox.partner_center import schema
from sandbox.partner_center.document import is_microsofts
from sandbox.partner_center.filter import Filter, parse
from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.schema import invalid
from sandbox.partner_center.stamps import moment
from sandbox.partner_center.store import Document

LIST_PATH = "/v1.0/engagements/referrals"
_OPTIONS = {"$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$skiptoken"}
_SORTABLE = ("createdDateTime", "updatedDateTime")
_SELECTABLE = {name.lower() for name in schema.REFERRAL} | schema.SERVER_OWNED


class Query(BaseModel):
    """What a list request asks for; also the content of a next link's token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    filter: str | None = None
    orderby: str | None = None
    top: int | None = None
    skip: int = 0
    count: bool = False
    select: tuple[str, ...] = ()
    offset: int = 0
    """How many rows earlier pages held."""


@dataclass(frozen=True)
class Page:
    rows: list[Document]
    count: int
    next_link: str | None
    select: tuple[str, ...]


def read_query(options: QueryParams) -> Query:
    """`Refusal` 400 for unknown options and values."""
    for name in options:
        if name.startswith("$") and name not in _OPTIONS:
            raise invalid(f"The query option '{name}' is not supported.", name)
    if token := options.get("$skiptoken"):
        try:
            return Query.model_validate(json.loads(base64.urlsafe_b64decode(token + "==")))
        except (binascii.Error, ValueError, ValidationError) as error:
            raise invalid("The skip token is not valid.", "$skiptoken") from error
    if options.get("$expand"):
        raise invalid("A referral has no properties that can be expanded.", "$expand")
    selected = tuple(name.strip() for name in options.get("$select", "").split(",") if name.strip())
    for name in selected:
        if name.lower() not in _SELECTABLE:
            raise invalid(f"Could not find a property named '{name}'.", "$select")
    if options.get("$count", "false") not in ("true", "false"):
        raise invalid("$count must be true or false.", "$count")
    return Query(
        filter=options.get("$filter") or None,
        orderby=options.get("$orderby") or None,
        top=_whole_number(options, "$top"),
        skip=_whole_number(options, "$skip") or 0,
        count=options.get("$count") == "true",
        select=selected,
    )


def page(layout: Layout, documents: Iterable[Document], query: Query, quirks: Quirks) -> Page:
    """One page of the visible `documents`."""
    chosen = parse(query.filter, quirks) if query.filter else Filter(lambda _: True, frozenset())
    # Microsoft's records are shown to those who ask for an engagement; else only where a quirk says so.
    rows = [
        document
        for document in documents
        if (chosen.engagements or quirks.microsoft_in_full_list or not is_microsofts(document))
        and chosen.test(document)
    ]
    rows = _sorted(rows, query.orderby)[query.skip :][: query.top]
    size = max(quirks.page_size, query.top or 0)
    part = rows[query.offset : query.offset + size]
    end = query.offset + len(part)
    following = query.model_copy(update={"offset": end}) if end < len(rows) else None
    return Page(
        rows=part,
        count=len(rows) if query.count else len(part),
        next_link=_link(layout, following, quirks) if following else None,
        select=query.select,
    )


def _sorted(rows: list[Document], orderby: str | None) -> list[Document]:
    for clause in reversed((orderby or "").split(",") if orderby else []):
        name, _, direction = clause.strip().partition(" ")
        if name not in _SORTABLE or direction.strip() not in ("", "asc", "desc"):
            raise invalid(f"Ordering by '{clause.strip()}' is not supported.", "$orderby")
        rows = sorted(rows, key=_by(name), reverse=direction.strip() == "desc")
    return rows


def _by(name: str) -> Callable[[Document], datetime]:
    return lambda row: moment(row[name])


def _link(layout: Layout, query: Query, quirks: Quirks) -> str:
    raw = json.dumps(query.model_dump(exclude_defaults=True)).encode()
    token = quote(base64.urlsafe_b64encode(raw).decode().rstrip("="))
    if quirks.next_link == "as_documented":
        return f"{layout.partner_center_url.replace('https:', 'http:')}/v1.0/referrals?$skiptoken={token}"
    return f"{layout.partner_center_url}{LIST_PATH}?$skiptoken={token}"


def _whole_number(options: QueryParams, name: str) -> int | None:
    given = options.get(name)
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise invalid(f"'{given}' is not a valid value of {name}.", name)
    return int(given)
