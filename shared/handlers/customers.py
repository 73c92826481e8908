"""Which account, contact, owner and currency rows an inbound deal belongs to: matched, else created.

Accounts match by name and postal code as Microsoft's connector documents it, after the customer's own ids where the CRM
keeps them; settings switch each rule. Nothing existing is ever changed. Ambiguity is reported, not guessed silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.connections import Connections
from shared.domain import countries, incoming
from shared.domain.referral import CustomerProfile, Member, Referral
from shared.domain.row import Lookup, Row
from shared.domain.sentences import Note
from shared.domain.terms import ACCOUNT_RULES
from shared.errors import Conflict
from shared.handlers.opportunities import guid
from shared.ports import Condition

_ID_COLUMNS = {"external": ("cosell_externalidentifier", 100), "duns": ("cosell_dunsnumber", 20)}
"""Kind of a customer's id in Partner Center → account column and its length; the surer one first."""
_MATCHED = ("name", "address1_postalcode", "statecode", "masterid", "modifiedon", "primarycontactid")


@dataclass(frozen=True)
class Customer:
    """Where the deal's customer stands in the CRM."""

    account: Lookup | None
    contact: Lookup | None
    notes: tuple[Note, ...] = ()


def match_or_create(connections: Connections, referral: Referral) -> Customer:
    """Account and contact of the deal, made when none match; the others it names become contacts of the account."""
    account, notes = _account(connections, referral)
    people = [member for member in referral.customer_profile.team if member.email or member.last_name]
    if account is None or connections.terms.profile == "parity":
        del people[1:]
    contacts = [_contact(connections, member, account, referral) for member in people]
    return Customer(account, contacts[0] if contacts else None, notes)


def owner(connections: Connections, referral: Referral) -> Lookup | None:
    """The CRM user of the first team member who has one, else the default owner."""
    for member in referral.team:
        if member.email:
            where = [Condition("internalemailaddress", member.email.strip()), Condition("isdisabled", False)]
            users = connections.dataverse.find("systemuser", where, ("internalemailaddress",), limit=1)
            if users:
                return Lookup("systemuser", users[0].id)
    return Lookup("systemuser", connections.default_owner_id) if connections.default_owner_id else None


def _account(connections: Connections, referral: Referral) -> tuple[Lookup | None, tuple[Note, ...]]:
    profile = referral.customer_profile
    if not profile.name:
        return None, ()
    candidates = _matching(connections, profile)
    notes: tuple[Note, ...] = ()
    if len(candidates) > 1:
        notes = (Note("ACCOUNT_AMBIGUOUS", {"count": len(candidates)}),)
    if candidates:
        return _survivor(connections, "account", candidates[0]), notes
    values = incoming.account(referral, connections.terms) | dict(_ids(profile))
    postal = _compact(profile.address.postal_code)
    row_id = incoming.row_id("account", profile.name.strip(), postal, referral.engagement_id or referral.id)
    return Lookup("account", _create(connections, "account", values, row_id)), notes


def _matching(connections: Connections, profile: CustomerProfile) -> list[Row]:
    """What the first rule finds that finds anything; only the rules that the settings name are asked."""
    finders = {
        "external_id": _by_external_id,
        "duns": _by_duns,
        "name_and_postal_code": _by_name_and_postal_code,
        "name_and_country": _by_name_and_country,
    }
    asked = (finders[rule] for rule in ACCOUNT_RULES if rule in connections.terms.account_rules)
    return next((found for finder in asked if (found := finder(connections, profile))), [])


def _survivor(connections: Connections, table: str, row: Row) -> Lookup:
    """A merged account's or contact's successor; merges can follow each other."""
    for _ in range(5):
        master = row.lookup("masterid")
        if master is None:
            break
        row = connections.dataverse.get(table, master.id, ("masterid",))
    return Lookup(table, row.id)


def _by_external_id(connections: Connections, profile: CustomerProfile) -> list[Row]:
    """Accounts that carry an id which Partner Center has of the customer, else the account whose own id that is.

    We send our accounts' own ids (`outgoing`). A merged account is no longer active; its successor is meant.
    """
    carrying = _by_id(connections, profile, "external")
    if carrying:
        return carrying
    own = [row_id for _, known in _ids(profile, "external") if (row_id := guid(known))]
    where = [Condition("accountid", own, "in")]
    rows = connections.dataverse.find("account", where, _MATCHED, order_by="modifiedon desc", limit=5) if own else []
    return [row for row in rows if row.values.get("statecode") == 0 or row.lookup("masterid")]


def _by_duns(connections: Connections, profile: CustomerProfile) -> list[Row]:
    return _by_id(connections, profile, "duns")


def _by_id(connections: Connections, profile: CustomerProfile, kind: str) -> list[Row]:
    """Active accounts that carry an id of this kind."""
    for column, known in _ids(profile, kind):
        where = [Condition(column, known), Condition("statecode", 0)]
        rows = connections.dataverse.find("account", where, _MATCHED, order_by="modifiedon desc", limit=5)
        if rows:
            return rows
    return []


def _ids(profile: CustomerProfile, *kinds: str) -> list[tuple[str, str]]:
    """Column and value of each of the customer's ids that an account can hold, of these kinds or of all."""
    return [
        (column, known.id.strip())
        for kind, (column, longest) in _ID_COLUMNS.items()
        for known in profile.ids
        if (known.profile_type or "").lower() == kind and known.id and len(known.id.strip()) <= longest
        if not kinds or kind in kinds
    ]


def _by_name_and_postal_code(connections: Connections, profile: CustomerProfile) -> list[Row]:
    postal = _compact(profile.address.postal_code)
    rows = _of_that_name(connections, profile) if postal else []
    found = [row for row in rows if _compact(row.text("address1_postalcode")) == postal]
    return sorted(found, key=lambda row: int(row.values.get("statecode") or 0))


def _by_name_and_country(connections: Connections, profile: CustomerProfile) -> list[Row]:
    """Of a customer without a postal code only one account of that name and country counts."""
    terms = connections.terms
    rows = [] if _compact(profile.address.postal_code) else _of_that_name(connections, profile)
    country = countries.as_read(profile.address.country, terms)
    found = [row for row in rows if countries.as_read(row.text(terms.country_column), terms) == country]
    return found if len(found) == 1 else []


def _of_that_name(connections: Connections, profile: CustomerProfile) -> list[Row]:
    name, columns = " ".join((profile.name or "").split()), (*_MATCHED, connections.terms.country_column)
    return connections.dataverse.find(
        "account", [Condition("name", name)], columns, order_by="modifiedon desc", limit=50
    )


def _compact(postal_code: str | None) -> str:
    return re.sub(r"[\s-]", "", postal_code or "").upper()


def _contact(connections: Connections, member: Member, account: Lookup | None, referral: Referral) -> Lookup:
    columns = ("emailaddress1", "lastname", "parentcustomerid", "masterid")
    if member.email:
        email = member.email.strip()
        rows = connections.dataverse.find("contact", [Condition("emailaddress1", email)], columns, limit=20)
        here = [row for row in rows if account and row.lookup("parentcustomerid") == account]
        if here or rows:
            return _survivor(connections, "contact", (here or rows)[0])
    if account and member.last_name:  # nobody has the address: a contact of that name who has none may be meant
        where = [Condition("lastname", member.last_name.strip()), Condition("parentcustomerid", account)]
        rows = connections.dataverse.find("contact", where, columns, limit=20)
        rows = [row for row in rows if not (member.email and row.text("emailaddress1"))]
        if rows:
            return _survivor(connections, "contact", rows[0])
    values = {**incoming.contact(member, connections.terms), **({"parentcustomerid": account} if account else {})}
    row_id = incoming.row_id(
        "contact", (member.email or member.last_name or "").strip(), referral.engagement_id or referral.id
    )
    contact = Lookup("contact", _create(connections, "contact", values, row_id))
    if account:
        _make_primary(connections, account, contact)
    return contact


def _make_primary(connections: Connections, account: Lookup, contact: Lookup) -> None:
    """The account's primary contact, only where it has none."""
    row = connections.dataverse.get("account", account.id, ("primarycontactid",))
    if row.lookup("primarycontactid") is None:
        connections.dataverse.update("account", account.id, {"primarycontactid": contact}, row.etag)


def _create(connections: Connections, table: str, values: dict[str, object], row_id: str) -> str:
    """Create with an id that is the same every time: a repeated create finds its own row."""
    try:
        return connections.dataverse.create(table, values, row_id)
    except Conflict:
        return row_id
