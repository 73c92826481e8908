"""What can happen to a deal, whoever does it: it is created, it changes, it expires; and everybody else is told.

One deal is one engagement with up to two records, ours and Microsoft's. Every write stamps time and version, moves the
shared data to the other record, and raises the events, in one transaction. Decisions come from `rules`; who calls:
`api` (the client), `portal` (a person) and `microsoft`.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sandbox.layout import Layout, new_guid
from sandbox.partner_center.document import MICROSOFT, is_microsofts, is_open, new_document, shares_with_microsoft
from sandbox.partner_center.events import Events
from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.stamps import etag, expiry, moment, stamp
from sandbox.partner_center.store import Document, Store

SHARED = ("dealValue", "currency", "closingDateTime", "notes")
"""Members of `details` that every party of a deal sees alike."""
_PORTAL_APPLICATION = "4990cffe-04e8-4e8b-808a-1175604b879f"


@dataclass(frozen=True)
class Actor:
    """Who writes. `application` ends up in `lastModifiedVia`."""

    application: str | None


PORTAL = Actor(_PORTAL_APPLICATION)
SERVICE = Actor(None)


class Deals:
    """The referrals of one partner and, within its engagements, of Microsoft."""

    def __init__(self, layout: Layout, store: Store, events: Events, now: Callable[[], datetime]) -> None:
        self.layout = layout
        self.store = store
        self._events = events
        self.now = now

    @property
    def quirks(self) -> Quirks:
        return Quirks.model_validate(self.store.setting("quirks") or {})

    # create ---------------------------------------------------------------------------------------------------------
    def create_own(self, sent: Document, actor: Actor, *, incoming: bool = False, **facts: Any) -> Document:
        """Our record: accepted from birth when we created it, New when it comes in. `facts` overrule properties."""
        now = self.now()
        document = self._new(sent, self.layout.organization_id, actor)
        document["direction"] = "Incoming" if incoming else "Outgoing"
        if incoming:
            self._await_answer(document, now)
        else:
            document |= {"status": "Active", "substatus": "Accepted", "acceptedDateTime": stamp(now)}
        self._write([(document | facts, "created")], actor)
        return self.stored(document)

    def create_microsofts(self, sent: Document, actor: Actor, *, accepted_as: str | None = None) -> Document:
        """Microsoft's record in the engagement that `sent` names: unanswered, or, when Microsoft began, accepted."""
        document = self._new(sent, MICROSOFT, actor)
        document["direction"] = "Outgoing" if accepted_as else "Incoming"
        self._await_answer(document, self.now())
        if accepted_as:
            document |= {"acceptedDateTime": stamp(self.now())} | self.acceptance(document, accepted_as)
        self._write([(document, "created"), *self._tracked(document)], actor)
        return self.stored(document)

    def create_partners(self, sent: Document, actor: Actor) -> Document:
        """The record of another partner who was invited into the engagement that `sent` names: unanswered."""
        document = self._new(sent | {"externalReferenceId": None}, new_guid(), actor)
        document["direction"] = "Incoming"
        self._await_answer(document, self.now())
        self._write([(document, "created")], actor)
        return self.stored(document)

    def _new(self, sent: Document, owner: str, actor: Actor) -> Document:
        document = new_document(self.layout, sent, referral_id=new_guid(), owner=owner)
        document["engagementId"] = (document["engagementId"] or new_guid()).lower()
        document["createdDateTime"] = stamp(self.now())
        document["createdVia"] = actor.application
        if self.quirks.type_from_consent:
            document["type"] = "Shared" if shares_with_microsoft(document) else "Independent"
        return document

    def _await_answer(self, document: Document, now: datetime) -> None:
        document |= {"status": "New", "substatus": "Pending", "expirationDateTime": stamp(expiry(now))}

    # change ---------------------------------------------------------------------------------------------------------
    def change(self, before: Document, after: Document, actor: Actor) -> Document:
        """Store a change that `rules` allowed, with all its consequences."""
        after = copy.deepcopy(after)
        self._note_status(before, after)
        writes: list[tuple[Document, Literal["created", "updated"]]] = [(after, "updated")]
        if self.quirks.propagate_shared_data:
            writes += [(other, "updated") for other in self._propagated(before, after)]
        if is_microsofts(after):
            writes += self._tracked(after)
        self._write(_once(writes), actor)
        return self.stored(after)

    def acceptance(self, document: Document, msx_id: str) -> Document:
        """What accepting changes on Microsoft's record: the status, and the id of the deal in Microsoft's own CRM."""
        tracked = {} if self.quirks.tracking_on == "own" else {"microsoftMsxId": msx_id}
        accepted = {"status": "Active", "substatus": "Accepted"}
        return accepted | {"trackingInfo": document["trackingInfo"] | tracked}

    def expire_due(self) -> int:
        """Closes what nobody answered in time; how many."""
        now = self.now()
        due = [
            document
            for document in self.store.referrals()
            if document["status"] == "New"
            and document["expirationDateTime"]
            and moment(document["expirationDateTime"]) <= now
        ]
        for document in due:
            self.change(document, document | {"status": "Closed", "substatus": "Expired"}, SERVICE)
        return len(due)

    def stored(self, document: Document) -> Document:
        """The record as it is now."""
        return self.store.referral(document["id"]) or document

    def _note_status(self, before: Document, after: Document) -> None:
        if before["status"] != after["status"]:
            moved = {"Active": "acceptedDateTime", "Closed": "closedDateTime"}.get(after["status"])
            if moved:
                after[moved] = stamp(self.now())

    def _propagated(self, before: Document, after: Document) -> list[Document]:
        changed = [name for name in SHARED if before["details"][name] != after["details"][name]]
        others: list[Document] = []
        for other in self.store.engagement(after["engagementId"]) if changed else []:
            if other["id"] != after["id"] and is_open(other):
                shared = {name: after["details"][name] for name in changed}
                others.append(other | {"details": other["details"] | shared})
        return others

    def _tracked(self, microsofts: Document) -> list[tuple[Document, Literal["created", "updated"]]]:
        """Our record with Microsoft's CRM id, where the service shows it there too."""
        own = self._own_of(microsofts)
        if own is None or self.quirks.tracking_on == "microsoft" or microsofts["substatus"] != "Accepted":
            return []
        if own["trackingInfo"]["microsoftMsxId"]:
            return []
        msx_id = microsofts["trackingInfo"]["microsoftMsxId"] or new_msx_id()
        return [(own | {"trackingInfo": own["trackingInfo"] | {"microsoftMsxId": msx_id}}, "updated")]

    def _own_of(self, microsofts: Document) -> Document | None:
        records = self.store.engagement(microsofts["engagementId"])
        return next((record for record in records if self._ours(record)), None)

    def _ours(self, record: Document) -> bool:
        return bool(record["organizationId"] == self.layout.organization_id)

    def _write(self, writes: Iterable[tuple[Document, Literal["created", "updated"]]], actor: Actor) -> None:
        now = self.now()
        with self.store.transaction():
            for document, what in writes:
                stamped = document | {
                    "updatedDateTime": stamp(now),
                    "eTag": etag(self.store.next_number("etag"), now),
                    "lastModifiedVia": actor.application,
                }
                self.store.write(stamped, now)
                ours = self._own_of(stamped) if self.quirks.related_event_names == "ours" else None
                self._events.changed(stamped, what, related=not self._ours(stamped), named=ours)


def new_msx_id() -> str:
    """In the form of Microsoft's own CRM."""
    return "7-" + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(10))


def _once(
    writes: list[tuple[Document, Literal["created", "updated"]]],
) -> list[tuple[Document, Literal["created", "updated"]]]:
    """One write a record: propagated data and the tracking id may concern the same one."""
    merged: dict[str, tuple[Document, Literal["created", "updated"]]] = {}
    for document, what in writes:
        if document["id"] in merged:
            earlier = merged[document["id"]][0]
            document = earlier | {"trackingInfo": document["trackingInfo"]}
        merged[document["id"]] = (document, what)
    return list(merged.values())
