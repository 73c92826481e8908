"""Partner Center's referrals in memory: engagements, version tags, the status table, and Microsoft as an actor.

`FakePartnerCenter` is the connector's port; `invite`, `microsoft` and `edit_in_portal` are what others do. Every
write tells `on_event` the webhook events it raises (event name, referral id, moment). Answers go through the same
lenient model as real ones, parsed once per version, so the fake is fast.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clients import wire
from shared.domain.referral import Referral
from shared.errors import AuthorizationError, Conflict, NotFound
from shared.ports import Clock, PatchOperation
from tests.fakes import referral_rules as rules
from tests.fakes.calls import Calls, port_call
from tests.fakes.referral_rules import MICROSOFT, Document

OWN_ORGANIZATION = "5b8e2c1e-0f3a-4c55-9d0b-2a7f6f0e9c11"
type Listener = Callable[[str, str, datetime], None]


class FakePartnerCenter(Calls):
    """`shared.ports.PartnerCenter` for one partner."""

    port = "partner_center"

    def __init__(self, clock: Clock, *, propagates: bool = True) -> None:
        """`propagates`: value, closing date and notes go from one record of a deal to the others."""
        super().__init__()
        self._propagates = propagates
        self._clock = clock
        self._ids = random.Random(11)
        self._versions = 0
        self.documents: dict[str, Document] = {}
        self.on_event: list[Listener] = []
        self._engagements: defaultdict[str, list[str]] = defaultdict(list)
        self._carriers: defaultdict[str, set[str]] = defaultdict(set)
        """CRM id, lower-case → referrals that carry or carried it."""
        self._parsed: dict[str, Referral] = {}

    @port_call
    def get(self, referral_id: str) -> Referral:
        self._document(referral_id)
        return self._referral(referral_id)

    @port_call
    def engagement(self, engagement_id: str) -> list[Referral]:
        return [self._referral(referral_id) for referral_id in self._engagements.get(engagement_id, [])]

    @port_call
    def engagements(self, engagement_ids: Iterable[str]) -> list[Referral]:
        wanted = [known for one in dict.fromkeys(engagement_ids) for known in self._engagements.get(one, [])]
        return [self._referral(referral_id) for referral_id in wanted]

    @port_call
    def still_open(self) -> Iterator[Referral]:
        documents = [d for d in self.documents.values() if not rules.is_microsofts(d) and d["status"] != "Closed"]
        return (self._referral(document["id"]) for document in documents)

    @port_call
    def updated_since(self, moment: datetime) -> Iterator[Referral]:
        found = [self._referral(i) for i, document in self.documents.items() if not rules.is_microsofts(document)]
        return iter(sorted((r for r in found if _updated(r) >= moment), key=_updated))

    @port_call
    def find_by_external_reference(self, opportunity_id: str, since: datetime) -> list[Referral]:
        wanted = opportunity_id.lower()
        found = [self._referral(referral_id) for referral_id in sorted(self._carriers.get(wanted, ()))]
        return [one for one in found if _carried(one) == wanted and not one.is_microsofts and _updated(one) >= since]

    @port_call
    def create(self, body: Mapping[str, Any]) -> Referral:
        document: Document = wire.loads(wire.dumps(body))
        rules.check_new(document)
        if rules.addresses_microsoft(document):
            return self._referral(self._create_microsofts(document))
        now = self._stamp()
        born = {"status": "Active", "substatus": "Accepted", "acceptedDateTime": now, "direction": "Outgoing"}
        referral_id = self._add({**document, **born}, OWN_ORGANIZATION)
        self._tell("referral-created", referral_id)
        return self._referral(referral_id)

    @port_call
    def patch(self, referral_id: str, operations: Sequence[PatchOperation], etag: str | None) -> Referral:
        before = self._document(referral_id)
        if rules.is_microsofts(before):
            raise AuthorizationError("PC_FORBIDDEN", "Partner Center refused access to this identity (HTTP 403).")
        if etag is not None and etag != before["eTag"]:
            raise Conflict("PC_VERSION", "The referral was changed in Partner Center meanwhile.", "Nothing to do.")
        plain = [PatchOperation(o.op, o.path, wire.loads(wire.dumps(o.value))) for o in operations]
        self._write(rules.patched(before, plain))
        return self._referral(referral_id)

    # what others do -------------------------------------------------------------------------------------------------
    def invite(self, document: Mapping[str, Any], *, lead: bool = False) -> Referral:
        """Microsoft sends a deal (or a lead) to the partner: our referral is New and waits fourteen days."""
        given: Document = wire.loads(wire.dumps(document))
        sender = {"invitedBy": {"organizationId": MICROSOFT, "organizationName": "Microsoft"}}
        expires = (self._clock() + timedelta(days=14)).replace(hour=0, minute=0, second=0, microsecond=0)
        born = {
            "status": "New",
            "substatus": "Pending",
            "type": "Independent" if lead else "Shared",
            "qualification": "SalesQualified",
            "direction": "Incoming",
            "expirationDateTime": wire.moment(expires),
            "inviteContext": {**given.get("inviteContext", {}), **sender},
        }
        referral_id = self._add({**given, **born}, OWN_ORGANIZATION)
        if not lead:
            theirs = {**given, **born, "status": "Active", "substatus": "Accepted", "externalReferenceId": None}
            theirs["engagementId"] = self.documents[referral_id]["engagementId"]
            self._add(theirs, MICROSOFT)
        self._tell("referral-created", referral_id)
        return self._referral(referral_id)

    def microsoft(self, engagement_id: str, substatus: str, *, msx_id: str | None = None) -> None:
        """Microsoft accepts (both records get `msx_id`), declines, wins or loses its referral, or lets it expire."""
        status = "Active" if substatus == "Accepted" else "Closed"
        tracked: Document = {"trackingInfo": {"microsoftMsxId": msx_id}} if msx_id else {}
        for document in [self.documents[i] for i in self._engagements[engagement_id]]:
            if rules.is_microsofts(document):
                self._write({**document, **tracked, "status": status, "substatus": substatus})
            elif tracked:
                self._write({**document, **tracked})

    def edit_in_portal(self, referral_id: str, **values: Any) -> Referral:
        """A colleague changes our referral in the portal; `details__dealValue=…` names a property of `details`."""
        operations = [PatchOperation("replace", f"/{name.replace('__', '/')}", value) for name, value in values.items()]
        plain = [PatchOperation(o.op, o.path, wire.loads(wire.dumps(o.value))) for o in operations]
        self._write(rules.patched(self._document(referral_id), plain))
        return self._referral(referral_id)

    def expire(self, referral_id: str) -> None:
        """Nobody answered in time."""
        self._write({**self._document(referral_id), "status": "Closed", "substatus": "Expired"})

    # documents ------------------------------------------------------------------------------------------------------
    def _document(self, referral_id: str) -> Document:
        if referral_id not in self.documents:
            raise NotFound(
                "PC_NOT_FOUND", "Partner Center has no such record, or hides it from this identity.", "Check the role."
            )
        return self.documents[referral_id]

    def _referral(self, referral_id: str) -> Referral:
        if referral_id not in self._parsed:
            self._parsed[referral_id] = Referral.model_validate(self.documents[referral_id])
        return self._parsed[referral_id]

    def _create_microsofts(self, document: Document) -> str:
        records = [self.documents[i] for i in self._engagements.get(str(document.get("engagementId")), [])]
        own = next((record for record in records if not rules.is_microsofts(record)), None)
        if own is None or own["status"] == "Closed" or not rules.shares(own) or not rules.shares(document):
            rules.refuse("Microsoft can be invited only into an open deal that is shared with Microsoft's sellers.")
        if any(rules.is_microsofts(record) and record["status"] != "Closed" for record in records):
            rules.refuse("Microsoft is part of this engagement already.")
        expires = wire.moment(self._clock() + timedelta(days=14))
        born = {"status": "New", "substatus": "Pending", "expirationDateTime": expires, "direction": "Outgoing"}
        referral_id = self._add({**document, **born}, MICROSOFT)
        self._tell("related-referral-created", referral_id)
        return referral_id

    def _add(self, document: Document, owner: str) -> str:
        referral_id = self._new_id()
        full = {
            "qualification": "SalesQualified",
            "engagementId": self._new_id(),
            "team": [],
            "target": [],
            "inviteContext": {"invitedBy": {"organizationId": OWN_ORGANIZATION}},
            **document,
            "id": referral_id,
            "organizationId": owner,
            "createdDateTime": self._stamp(),
            "trackingInfo": {"microsoftMsxId": None},
        }
        self._engagements[full["engagementId"]].append(referral_id)
        self._store(full)
        return referral_id

    def _write(self, document: Document) -> None:
        """Store a changed record and what follows from it for the other records of the deal."""
        before = self.documents[document["id"]]
        changed = {
            name: document["details"].get(name)
            for name in rules.SHARED
            if document["details"].get(name) != before["details"].get(name)
        }
        self._store(document)
        self._tell_updated(document)
        for other in [self.documents[i] for i in self._engagements[document["engagementId"]]]:
            if self._propagates and changed and other["id"] != document["id"] and other["status"] != "Closed":
                self._store({**other, "details": {**other["details"], **changed}})
                self._tell_updated(other)

    def _tell_updated(self, document: Document) -> None:
        self._tell("related-referral-updated" if rules.is_microsofts(document) else "referral-updated", document["id"])

    def _store(self, document: Document) -> None:
        self._versions += 1
        seconds = int(self._clock().timestamp())
        tag = f'"{self._versions:08x}-0000-0d00-0000-{seconds:08x}0000"'
        stored = {**document, "eTag": tag, "updatedDateTime": self._stamp()}
        if stored["status"] == "Closed" and not stored.get("closedDateTime"):
            stored["closedDateTime"] = self._stamp()
        if stored["status"] == "Active" and not stored.get("acceptedDateTime"):
            stored["acceptedDateTime"] = self._stamp()
        self.documents[stored["id"]] = stored
        if stored.get("externalReferenceId"):
            self._carriers[str(stored["externalReferenceId"]).lower()].add(stored["id"])
        self._parsed.pop(stored["id"], None)

    def _tell(self, event: str, referral_id: str) -> None:
        for listener in self.on_event:
            listener(event, referral_id, self._clock())

    def _stamp(self) -> str:
        return wire.moment(self._clock())

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))


def _carried(referral: Referral) -> str:
    return (referral.external_reference_id or "").lower()


def _updated(referral: Referral) -> datetime:
    return referral.updated_date_time or datetime.min.replace(tzinfo=UTC)
