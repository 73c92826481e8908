"""The right to create a referral (decision A4): one run at a time holds it, and whoever comes next looks for its work.

A reservation stands in the opportunity's state, written under the row's version, with the values about to be sent. One
that is older than the lease belongs to a run that died; the referral that run may have made is found by the
opportunity's id. Creating is `create_cosell_referral_dynamics_365_to_partner_center`'s.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from shared.connections import Connections
from shared.domain import outgoing
from shared.domain.changes import to_be_created
from shared.domain.opportunity import Opportunity
from shared.domain.referral import Referral
from shared.domain.state import Reservation, Sent, fingerprint
from shared.errors import NotYet
from shared.handlers.opportunities import load, write_back

_LOOK_BACK = timedelta(days=30)
_CLOCKS_DIFFER = timedelta(minutes=5)


def reserve(connections: Connections, opportunity: Opportunity) -> tuple[Opportunity, Referral | None]:
    """Take the reservation: the row as it then is, and the referral of ours that exists already, if any.

    `NotYet` while another run holds it, `Conflict` when somebody else was quicker.
    """
    held = opportunity.state.reservation
    if held and held.at + timedelta(seconds=connections.create_lease_s) > connections.clock():
        raise _taken()
    before = held or opportunity.state.attempt
    found = None if opportunity.referral_id else _search(connections, opportunity)
    name = fingerprint(outgoing.own_body(opportunity, connections.terms).get("name"))
    if opportunity.referral_id:
        sent = opportunity.state.sent
    elif found is None:
        sent = to_be_created(opportunity, connections.terms)
    elif before and made_under(before, found, connections):
        sent, name = opportunity.state.sent, before.name
    else:
        sent = {}
    return _write(connections, opportunity, sent, name), found


def _search(connections: Connections, opportunity: Opportunity) -> Referral | None:
    """A referral of ours that carries the opportunity's id: an earlier run was interrupted, or a colleague made it.

    Searched before the reservation: whoever creates between the two changes the version that it is written under.
    """
    since = connections.clock() - _LOOK_BACK
    named = connections.partner_center.find_by_external_reference(opportunity.id, since)
    return next((referral for referral in named if not referral.is_microsofts), None)


def made_under(held: Reservation, referral: Referral, connections: Connections) -> bool:
    """Whether the run of ours that was cut short made it; else what that run was to send is nobody's base.

    It was not there before that run, which looked; and once its lease was over nobody creates under it any more.
    A colleague who was quicker than that would have to choose the very same name.
    """
    if held.name not in (None, fingerprint(referral.name)):
        return False
    if referral.created_date_time is None:
        return True
    over = held.at + timedelta(seconds=connections.create_lease_s) + _CLOCKS_DIFFER
    return referral.created_date_time <= over


def _write(connections: Connections, opportunity: Opportunity, sent: dict[str, Sent], name: str | None) -> Opportunity:
    """Take the reservation; `Conflict` when somebody else was quicker. Returns the row as it now is.

    `sent`, the values about to be sent, is written down with it. An edit on either side, however long the creation
    then takes, is told from them.
    """
    if connections.dry_run:
        return opportunity
    reservation = Reservation(at=connections.clock(), run=str(uuid.uuid4()), name=name)
    state = opportunity.state.but(reservation=reservation, attempt=None, sent=sent)
    write_back(connections, opportunity, state, sync_status="pending")
    reserved = load(connections, opportunity.id)
    if reserved.state.reservation != reservation:
        raise _taken()
    return reserved


def _taken() -> NotYet:
    return NotYet("CREATION_RESERVED", "Another run is creating this referral.", "It is tried again by itself.")
