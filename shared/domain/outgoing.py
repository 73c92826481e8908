"""Documents for Partner Center: the two bodies of a new deal and the operations of a change. Only known members.

A co-sell deal takes two POSTs: our own referral addressed to the solution, then Microsoft's with the same engagement
id, addressed to `msft`. Values come from the mapping table; the rest (team, customer, consent, target) is built here.
Source: create and patch pages of the referrals API and the referrals connector's OpenAPI file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.domain import countries, people
from shared.domain.mapping import MappingRow
from shared.domain.opportunity import Opportunity, solution_id
from shared.domain.paths import place
from shared.domain.plan import Change
from shared.domain.referral import MICROSOFT, Referral, Solution
from shared.domain.required import wants_help
from shared.domain.row import Row
from shared.domain.rules import RULES
from shared.domain.state import Canonical
from shared.domain.terms import Terms

type Operation = tuple[str, str, Any]
"""(op, path, value) of one JSON Patch operation."""


def own_body(opportunity: Opportunity, terms: Terms) -> dict[str, Any]:
    """The first POST."""
    body = _shared_body(opportunity, terms)
    body["externalReferenceId"] = opportunity.id
    first = next((key for key in opportunity.solutions if key.startswith("SOL-")), next(iter(opportunity.solutions)))
    body["target"] = [{"type": "SolutionProfile", "id": first}]
    if terms.partner_id:
        body["mpnId"] = terms.partner_id
    return body


def microsoft_body(opportunity: Opportunity, own: Referral, terms: Terms) -> dict[str, Any]:
    """The second POST; needs the first one's engagement and organisation."""
    body = _shared_body(opportunity, terms)
    body["engagementId"] = own.engagement_id
    body["target"] = [{"type": "BusinessProfileLocation", "id": MICROSOFT}]
    if own.organization_id:
        body.setdefault("inviteContext", {})["invitedBy"] = {"organizationId": own.organization_id}
    return body


def _shared_body(opportunity: Opportunity, terms: Terms) -> dict[str, Any]:
    visible = wants_help(opportunity, terms) or is_visible(opportunity, terms)
    body: dict[str, Any] = {
        "type": "Shared",
        "qualification": "SalesQualified",
        "status": "New",
        "substatus": "Pending",
        "customerProfile": _customer(opportunity, terms),
        "consent": {
            "consentToContact": True,
            "consentToToShareInfoWithOthers": True,
            "consentToShareReferralWithMicrosoftSellers": visible,
        },
        "details": {"requirements": {"solutions": solution_tags(opportunity)}},
        "team": [member] if (member := people.seller(opportunity, terms)) else [],
    }
    for row in terms.mapping.opportunity:
        if RULES[row.rule].related or row.rule == "visibility" or not row.outbound("create", terms.profile):
            continue
        value = RULES[row.rule].from_opportunity(opportunity, row, terms)
        if value in (None, "", ()):
            value = row.sent_default
        if value is not None:
            place(body, row.referral, RULES[row.rule].to_property(value, row, terms))
    return body


def is_visible(opportunity: Opportunity, terms: Terms) -> bool:
    row = terms.mapping.row("visibility")
    return row is not None and RULES["visibility"].from_opportunity(opportunity, row, terms) == "visible"


def solution_tags(opportunity: Opportunity, known: Iterable[Solution] = ()) -> list[dict[str, Any]]:
    """Concrete solutions by id (it has a dash), predefined areas as categories; those already `known` as they are."""
    there = {solution_id(tag.id): tag.model_dump(by_alias=True, exclude_none=True) for tag in known}
    return [
        there.get(key) or {"id": key, "name": name or key, "type": "Name" if "-" in key else "Category"}
        for key, name in opportunity.solutions.items()
    ]


def _customer(opportunity: Opportunity, terms: Terms) -> dict[str, Any]:
    account, contact = opportunity.account, opportunity.contact
    profile: dict[str, Any] = {"address": {}, "team": [], "ids": []}
    if account is not None:
        for row in terms.mapping.account:
            value = _account_value(account, row, terms)
            if value:
                _, _, path = row.referral.partition("customerProfile.")
                place(profile, path or row.referral, value)
        profile["ids"] = _customer_ids(account)
    if contact is not None:
        profile["team"] = [people.customer_contact(contact)]
    return profile


def _customer_ids(account: Row) -> list[dict[str, str]]:
    """The world's number of the company and ours: by either one a later deal finds its account again."""
    ids = {"Duns": account.text("cosell_dunsnumber"), "External": account.id}
    return [{"profileType": kind, "id": known} for kind, known in ids.items() if known]


def _account_value(account: Row, row: MappingRow, terms: Terms) -> str | None:
    value = account.values.get(row.column)
    if row.rule == "size":
        sizes = terms.mapping.values["size"].items()
        return next((word for word, least in reversed(sizes) if isinstance(value, int) and value >= least), None)
    text = str(value).strip() if value is not None else ""
    return (countries.as_read(text, terms) if row.rule == "country" else text) or None


def operations(
    changes: Iterable[Change], opportunity: Opportunity, terms: Terms, referral: Referral | None = None
) -> list[Operation]:
    """The JSON Patch of a plan's changes; value and currency always travel together.

    Lists are replaced as a whole: what `referral` says of those that stay (price, publisher, a colleague) is kept.
    """
    values: dict[str, tuple[MappingRow, Canonical]] = {c.row.field: (c.row, c.new) for c in changes}
    if {"deal_value", "currency"} & values.keys():
        for row in filter(None, map(terms.mapping.row, ("deal_value", "currency"))):
            amount = RULES[row.rule].from_opportunity(opportunity, row, terms)
            if row.field not in values and amount is not None:
                values[row.field] = (row, amount)
    there = referral or Referral()
    return [
        ("replace", row.patch_path, _value(row, value, opportunity, there, terms)) for row, value in values.values()
    ]


def _value(row: MappingRow, value: Canonical, opportunity: Opportunity, there: Referral, terms: Terms) -> Any:
    """The property's new value; of a list also what only Partner Center knows."""
    match row.rule:
        case "solutions":
            return solution_tags(opportunity, there.details.requirements.solutions)
        case "owner":
            return people.documents(value, there.team, people.seller(opportunity, terms))
        case "contact":
            contact = people.customer_contact(opportunity.row.related("parentcontactid"))
            return people.documents(value, there.customer_profile.team, contact)
        case _:
            return _property(row, value, terms)


def _property(row: MappingRow, value: Canonical, terms: Terms) -> Any:
    converted = RULES[row.rule].to_property(value, row, terms)
    return "" if converted is None and RULES[row.rule].blank_to_pc else converted


def status_operations(status: str, substatus: str, reason: str | None) -> list[Operation]:
    """Status and substatus in one document, with the reason where there is one."""
    found: list[Operation] = [("replace", "/status", status), ("replace", "/substatus", substatus)]
    return [*found, ("replace", "/statusReason", reason)] if reason else found
