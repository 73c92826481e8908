"""What people and connector wrote, and what is wrong with it the moment it happens: I4, I5, I6 and half of I7.

Listens to both fakes. For every field of a pair it knows when each side was last edited by a person and when both
sides were last equal; values people write are unique, so equal values mean that one was carried over. Violations are
sentences that name the deal; `tests.chaos.invariants` adds what can only be seen once everything is at rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.chaos import canaries
from tests.chaos.faults import Call
from tests.fakes.dataverse import APP_USER, FakeDataverse
from tests.fakes.dataverse_rows import Change, Stored
from tests.fakes.partner_center import OWN_ORGANIZATION, FakePartnerCenter
from tests.fakes.referral_rules import NEXT, SUBSTATUSES, Document

CRM, PC = "Dynamics 365", "Partner Center"
_REFERRAL_ID = "cosell_referralidentifier"
_WITHOUT_MEANING = {"cosell_lastsyncedon"}
"""A write of nothing but these tells nobody anything."""
_VERSIONS = {"eTag", "updatedDateTime"}


def _day(value: Any) -> str | None:
    return str(value)[:10] if value else None


def _amount(value: Any) -> str | None:
    return f"{Decimal(str(value)):.2f}" if value is not None else None


def _text(value: Any) -> str | None:
    return str(value).rstrip() or None if value is not None else None


type Read = Callable[[Any], str | None]
FIELDS: Mapping[str, tuple[str, str, Read]] = {
    "deal value": ("estimatedvalue", "dealValue", _amount),
    "close date": ("estimatedclosedate", "closingDateTime", _day),
    "notes": ("description", "notes", _text),
}


class Journal:
    """One run's record."""

    def __init__(self, dataverse: FakeDataverse, center: FakePartnerCenter) -> None:
        self._rows, self._center = dataverse.rows, center
        self.violations: list[str] = []
        self.writes: list[str] = []
        """The connector's writes, in words."""
        self.statuses: list[tuple[str, str, str]] = []
        """Every status sent: referral, status, substatus."""
        self.created: set[str] = set()
        """Referrals the connector created."""
        self.by_connector = False
        """Whether what is written at this moment is the connector's."""
        self._moment = 0
        self._edited: dict[tuple[str, str, str], int] = {}
        """(side, record id, field) → when a person last changed it."""
        self._equal: dict[tuple[str, str, str], int] = {}
        """(opportunity, referral, field) → when both sides were last equal."""
        self._carried: dict[tuple[str, str, str, str | None], int] = {}
        """(side, record id, field, value) → when the connector last wrote it."""
        self._written: dict[tuple[str, str], str] = {}
        """(side, record id) → the notes a person last wrote there."""
        self._shown: dict[tuple[str, str], int] = {}
        """(side, record id) → when those notes stood on the other side as well, for people there to replace."""
        self._documents: dict[str, Document] = {}
        dataverse.rows.on_change.append(self._on_change)
        center.on_event.append(self._on_event)

    def violation(self, invariant: str, sentence: str) -> None:
        self.violations.append(f"{invariant}: {sentence}")

    # what the connector sends ---------------------------------------------------------------------------------------
    def sending(self, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A call of the connector, before anything can go wrong with it."""
        if call.port == "queues":
            self._check_body(call, args)
        elif call.name == "partner_center.patch":
            referral_id, operations, etag = args[0], args[1], kwargs.get("etag", args[-1])
            sent = {operation.path: operation.value for operation in operations}
            if "/status" in sent or "/substatus" in sent:
                self._check_status(referral_id, str(sent.get("/status")), str(sent.get("/substatus")), etag)
        elif call.name == "partner_center.create":
            self._check_invitation(args[0])

    def _check_body(self, call: Call, args: tuple[Any, ...]) -> None:
        body = args[0 if call.method == "park" else 1]
        # Of a message its texts, as they stand in its JSON; ids and moments can hold none.
        texts = (body,) if isinstance(body, str) else vars(body).values()
        canary = next((c for text in texts if isinstance(text, str) and (c := canaries.found(text))), None)
        if canary:
            self.violation("I7", f"{call.name} put {canary} into the body of a message for {args[0]!s:.60}")

    def _check_status(self, referral_id: str, status: str, substatus: str, etag: str | None) -> None:
        self.statuses.append((referral_id, status, substatus))
        if substatus not in SUBSTATUSES.get(status, ()) or substatus == "Expired":
            self.violation("I6", f"referral {referral_id} was to become {status}/{substatus}, which is no allowed pair")
        document = self._center.documents.get(referral_id)
        if document and document["eTag"] == etag and status not in NEXT[document["status"]]:
            self.violation("I6", f"referral {referral_id} is {document['status']} and was to become {status}")

    def _check_invitation(self, body: Mapping[str, Any]) -> None:
        engagement = body.get("engagementId")
        for document in self._center.documents.values() if engagement else ():
            theirs = document["organizationId"] == "msft" and document["status"] != "Closed"
            if document["engagementId"] == engagement and theirs:
                self.violation("I2", f"Microsoft was asked into engagement {engagement} a second time")

    # what was written -----------------------------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        self._moment += 1
        after = self._rows.get(change.table, change.row_id) or {}
        ours = change.user_id == APP_USER
        # A seller who qualifies a lead writes nothing new: the values come from the lead.
        copied = change.message == "Create" and "originatingleadid" in after
        if ours:
            self.writes.append(f"{change.message} {change.table} {change.row_id} ({', '.join(sorted(change.columns))})")
            told = [c for c in change.columns - _WITHOUT_MEANING if change.before.get(c) != after.get(c)]
            if change.message == "Update" and not told:
                self.violation("I5", f"{change.table} {change.row_id} was written without a difference")
        if change.table != "opportunity":
            return
        for name, (column, _, read) in FIELDS.items():
            old, new = read(change.before.get(column)), read(after.get(column))
            if old != new or change.message == "Create":
                other = after.get(_REFERRAL_ID)
                self._note(CRM, change.row_id, other, name, old, new, ours=ours or copied)
        if after:
            self._compare(change.row_id, after, self._document_of(change.row_id, after))

    def _on_event(self, event: str, referral_id: str, _at: object) -> None:
        self._moment += 1
        document = self._center.documents[referral_id]
        before = self._documents.get(referral_id)
        self._documents[referral_id] = document
        if document["organizationId"] != OWN_ORGANIZATION:
            return
        ours = self.by_connector
        if ours:
            self.writes.append(f"{event} {referral_id}")
            if before is None:
                self.created.add(referral_id)
            if before is not None and not _differs(before, document):
                self.violation("I5", f"referral {referral_id} was written without a difference ({event})")
        opportunity_id = self._opportunity_of(document)
        for name, (_, member, read) in FIELDS.items():
            old = read(before["details"].get(member)) if before else None
            new = read(document["details"].get(member))
            if old != new or before is None:
                self._note(PC, referral_id, opportunity_id, name, old, new, ours=ours)
        row = self._rows.get("opportunity", opportunity_id) if opportunity_id else None
        if row is not None:
            self._compare(row["opportunityid"], row, document)

    def _note(
        self, side: str, record: str, other: str | None, name: str, old: str | None, new: str | None, *, ours: bool
    ) -> None:
        key = (side, record, name)
        if not ours:
            self._edited[key] = self._moment
            if name == "notes":
                self._written[side, record] = new or ""
            return
        carried = self._carried.get((*key, new))
        if carried is not None and self._edited.get(key, 0) < carried:
            self.violation("I5", f"{name} of {side} record {record} was set to the same value twice: {new!r:.60}")
        self._carried[(*key, new)] = self._moment
        if other is None or old is None:
            return
        pair = (record, other) if side == CRM else (other, record)
        equal = self._equal.get((*pair, name), 0)
        here = self._edited.get(key, 0)
        there = self._edited.get((PC if side == CRM else CRM, other, name), 0)
        written = self._written.get((side, record), "")
        if name == "notes":
            shown = self._shown.get((side, record), 0)
            if here > max(equal, shown) and written in old and written not in (new or ""):
                self.violation("I4", f"notes a person wrote at {side} ({record}) are lost: {written!r:.60}")
        elif here > equal >= there:
            self.violation(
                "I4",
                f"{name} {old} of {side} record {record}, changed by a person there only, was overwritten by {new}",
            )

    def _compare(self, opportunity_id: str, row: Stored, document: Document | None) -> None:
        if document is None:
            return
        for name, (column, member, read) in FIELDS.items():
            if read(row.get(column)) == read(document["details"].get(member)):
                self._equal[opportunity_id, document["id"], name] = self._moment
        sides = (CRM, opportunity_id, document["details"].get("notes")), (PC, document["id"], row.get("description"))
        for side, record, other in sides:
            written = self._written.get((side, record))
            if written and written in (other or ""):
                self._shown[side, record] = self._moment

    def _document_of(self, opportunity_id: str, row: Stored) -> Document | None:
        linked = row.get(_REFERRAL_ID)
        return self._center.documents.get(linked) if linked else None

    def _opportunity_of(self, document: Document) -> str | None:
        linked = self._rows.equal("opportunity", _REFERRAL_ID, document["id"])
        return next(iter(linked), None) or document.get("externalReferenceId")


def _differs(before: Document, after: Document) -> bool:
    return any(before.get(key) != after.get(key) for key in before.keys() | after.keys() if key not in _VERSIONS)
