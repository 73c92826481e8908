"""The people of a deal: our member of the partner's team and the customer's contact, as Partner Center lists them.

Partner Center knows people by their e-mail only and takes their lists as a whole; the CRM knows one owner and one
contact. So both sides are compared as a list of short marks, made of an e-mail and of the rest, which neither the state
nor the audit could give anybody away by; and a list goes back with our person in it and everybody else as they were.
The rules for both: `shared.domain.rules_people`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile
from typing import Any

from shared.domain.opportunity import Opportunity
from shared.domain.referral import Member
from shared.domain.row import Row
from shared.domain.state import Canonical
from shared.domain.terms import Terms

_NEEDED = ("firstName", "lastName", "email", "phoneNumber")
"""What Partner Center asks of everybody."""


def seller(opportunity: Opportunity, terms: Terms) -> dict[str, str]:
    """The owner as a member of the partner's team; empty when that is no user."""
    owner = opportunity.owner
    if owner is None:
        return {}
    phone = owner.text("address1_telephone1") or owner.text("mobilephone") or terms.default_phone
    return _member(owner, phone, "internalemailaddress")


def customer_contact(contact: Row | None) -> dict[str, str]:
    """A contact as a member of the customer's team; empty when there is none."""
    if contact is None:
        return {}
    return _member(contact, contact.text("telephone1") or contact.text("mobilephone"), "emailaddress1")


def _member(row: Row, phone: str | None, email_column: str) -> dict[str, str]:
    member = {
        "firstName": row.text("firstname"),
        "lastName": row.text("lastname"),
        "email": row.text(email_column),
        "phoneNumber": phone,
        "title": row.text("jobtitle"),
    }
    return {name: value for name, value in member.items() if value}


def marks(members: Iterable[Member]) -> Canonical:
    """The marks of a list, in its order."""
    return tuple(_mark(_document(member)) for member in members if member.email or member.last_name) or None


def mark(member: dict[str, str]) -> Canonical:
    """The list with this one person; None when Partner Center would not take them as they are."""
    return (_mark(member),) if all(member.get(name) for name in _NEEDED) else None


def replaced(there: Canonical, ours: Canonical, before: Canonical) -> Canonical:
    """The list `there` with our person in the place of the one we had `before`; first when we had none."""
    listed, (now,) = _list(there), _list(ours)
    gone = {_who(now), *map(_who, _list(before))}
    ahead = list(takewhile(lambda one: _who(one) not in gone, listed))
    ahead = ahead if len(ahead) < len(listed) else []
    behind = [one for one in listed[len(ahead) :] if _who(one) not in gone]
    return (*ahead, now, *behind)


def documents(wanted: Canonical, there: Iterable[Member], ours: dict[str, str]) -> list[dict[str, Any]]:
    """The members behind these marks; of our person also what only Partner Center knows."""
    known = {_mark(document): document for document in map(_document, there)}
    same = {_who(key): document for key, document in known.items()}
    own = _mark(ours)
    return [{**same.get(_who(key), {}), **ours} if key == own else known[key] for key in _list(wanted)]


def _list(value: Canonical) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _document(member: Member) -> dict[str, Any]:
    return member.model_dump(by_alias=True, exclude_none=True)


def _mark(member: dict[str, Any]) -> str:
    """`who.what`: equal first halves are one person, equal marks the same data."""
    name = f"{member.get('firstName', '')} {member.get('lastName', '')}"
    who = str(member.get("email") or name)
    return f"{_short(who.strip().lower())}.{_short(chr(10).join((name, *_rest(member))))}"


def _rest(member: dict[str, Any]) -> tuple[str, str]:
    return str(member.get("phoneNumber", "")), str(member.get("title", ""))


def _who(key: str) -> str:
    return key.partition(".")[0]


@lru_cache(maxsize=1024)
def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
