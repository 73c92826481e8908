"""Ports that write nothing (DRY_RUN): every planned write becomes one log line with its columns or paths, never values.

Reads and hints go through, so that the flows run as they would. What cannot be pretended, such as the id of a referral
that was not created, ends the message with `DryRun`, which `shared.delivery` logs and completes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.domain.referral import Referral
from shared.domain.row import Lookup, Row, Values
from shared.errors import SyncError
from shared.ports import Column, Condition, Dataverse, PartnerCenter, PatchOperation

_log = logging.getLogger("cosell.dry_run")


class DryRun(SyncError):
    """The rest of the message depends on a write that is not made."""


type Tell = Callable[[str, Iterable[str]], None]
"""Takes what would be done, and the columns or paths it would touch."""


def _into_the_log(what: str, names: Iterable[str]) -> None:
    _log.info("DRY RUN would %s: %s", what, ", ".join(sorted(names)))


def _stopped(what: str) -> DryRun:
    return DryRun("DRY_RUN", f"The connector would {what} and does not, as DRY_RUN is on.")


class DryPartnerCenter:
    """Reads of `inner`, no writes; `tell` hears of them."""

    def __init__(self, inner: PartnerCenter, tell: Tell = _into_the_log) -> None:
        self._inner, self._tell = inner, tell

    def get(self, referral_id: str) -> Referral:
        return self._inner.get(referral_id)

    def engagement(self, engagement_id: str) -> list[Referral]:
        return self._inner.engagement(engagement_id)

    def engagements(self, engagement_ids: Iterable[str]) -> list[Referral]:
        return self._inner.engagements(engagement_ids)

    def updated_since(self, moment: datetime) -> Iterator[Referral]:
        return self._inner.updated_since(moment)

    def still_open(self) -> Iterator[Referral]:
        return self._inner.still_open()

    def find_by_external_reference(self, opportunity_id: str, since: datetime) -> list[Referral]:
        return self._inner.find_by_external_reference(opportunity_id, since)

    def create(self, body: Mapping[str, Any]) -> Referral:
        self._tell("create a referral", body)
        raise _stopped("create a referral")

    def patch(self, referral_id: str, operations: Sequence[PatchOperation], etag: str | None) -> Referral:
        self._tell(f"patch referral {referral_id}", [operation.path for operation in operations])
        return self._inner.get(referral_id)


class DryDataverse:
    """Reads of `inner`, no writes; `tell` hears of them."""

    def __init__(self, inner: Dataverse, tell: Tell = _into_the_log) -> None:
        self._inner, self._tell = inner, tell

    def get(
        self, table: str, row_id: str, columns: Sequence[str], expand: Mapping[str, Sequence[str]] | None = None
    ) -> Row:
        return self._inner.get(table, row_id, columns, expand)

    def get_many(
        self,
        table: str,
        row_ids: Iterable[str],
        columns: Sequence[str],
        expand: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Row]:
        return self._inner.get_many(table, row_ids, columns, expand)

    def find(
        self,
        table: str,
        where: Sequence[Condition],
        columns: Sequence[str],
        *,
        order_by: str | None = None,
        limit: int = 50,
    ) -> list[Row]:
        return self._inner.find(table, where, columns, order_by=order_by, limit=limit)

    def create(self, table: str, values: Values, row_id: str | None = None) -> str:
        self._tell(f"create a row of {table}", values)
        raise _stopped(f"create a row of {table}")

    def update(self, table: str, row_id: str, values: Values, etag: str | None) -> None:
        self._tell(f"update {table} {row_id}", values)

    def delete(self, table: str, row_id: str) -> None:
        self._tell(f"delete {table} {row_id}", ())

    def close_opportunity(self, opportunity_id: str, *, won: bool, status: int, activity: Values) -> None:
        what = f"close opportunity {opportunity_id} as {'won' if won else 'lost'}"
        self._tell(what, activity)
        raise _stopped(what)

    def qualify_lead(self, lead_id: str, *, currency: Lookup | None, customer: Lookup | None) -> str:
        self._tell(f"qualify lead {lead_id}", ())
        raise _stopped(f"qualify lead {lead_id}")

    def user_id(self) -> str:
        return self._inner.user_id()

    def columns(self, table: str) -> Mapping[str, Column]:
        return self._inner.columns(table)

    def environment_variables(self, prefix: str) -> Mapping[str, str]:
        return self._inner.environment_variables(prefix)
