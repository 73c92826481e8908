"""What a referral may look like and become: required properties, the status matrix, consent, who may invite Microsoft.

Pure decisions over documents; each refusal is the API's 400 with the pointer of the offence. Sources: the status table
of the referral resource page; portal and CSV rules for new deals (the API's own rules are not published).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.partner_center.document import MICROSOFT, is_microsofts, is_open, shares_with_microsoft
from sandbox.partner_center.quirks import Quirks
from sandbox.partner_center.schema import HELP_CODES, invalid
from sandbox.partner_center.store import Document

PAIRS = {
    "New": ("Pending", "Received"),
    "Active": ("Accepted",),
    "Closed": ("Won", "Lost", "Declined", "Expired"),
}
NEXT = {"New": ("New", "Active", "Closed"), "Active": ("Active", "Closed"), "Closed": ("Closed",)}
_MEMBER = ("firstName", "lastName", "phoneNumber", "email")


def check_status(before: Document, after: Document, *, strict: bool) -> None:
    """Refuses pairs and moves that the matrix does not allow; `Expired` is the service's own."""
    old, new = (before["status"], before["substatus"]), (after["status"], after["substatus"])
    if new == old:
        return
    if new[1] not in PAIRS.get(str(new[0]), ()):
        raise invalid(f"The substatus '{new[1]}' is not valid for status '{new[0]}'.", "/substatus")
    if new[0] not in NEXT[old[0]] or old[0] == "Closed":
        raise invalid(f"The status cannot be changed from '{old[0]}' to '{new[0]}'.", "/status")
    if new[1] == "Expired":
        raise invalid("The substatus 'Expired' is set by the service only.", "/substatus")
    if strict and new[1] in ("Lost", "Declined") and not (after["statusReason"] or "").strip():
        raise invalid(f"The substatus '{new[1]}' needs a statusReason.", "/statusReason")


def check_change(before: Document, after: Document, *, strict: bool) -> None:
    """Everything a change must obey. `before` and `after` are whole documents."""
    registering = before["registrations"] != after["registrations"]
    if registering and (before["status"], before["substatus"]) != ("Closed", "Won"):
        raise invalid("A deal can be registered only after it was won.", "/registrations")
    if not is_open(before) and _without_registrations(before) != _without_registrations(after):
        raise invalid("The referral is closed and cannot be changed.", "/status")
    check_status(before, after, strict=strict)
    if shares_with_microsoft(before) and not shares_with_microsoft(after):
        target = "/consent/consentToShareReferralWithMicrosoftSellers"
        raise invalid("Sharing with Microsoft's sellers cannot be taken back.", target)


def check_new(sent: Document, quirks: Quirks) -> None:
    """The documented required set, and in strict mode what the portal asks of a deal."""
    for name in ("type", "customerProfile", "consent", "details"):
        if not sent.get(name):
            raise invalid(f"The {name} field is required.", f"/{name}")
    if not quirks.strict:
        return
    profile, details, consent = sent["customerProfile"], sent["details"], sent["consent"]
    address = profile.get("address") or {}
    needs: list[tuple[Any, str]] = [
        (sent.get("name"), "/name"),
        (profile.get("name"), "/customerProfile/name"),
        *((address.get(name), f"/customerProfile/address/{name}") for name in ("addressLine1", "city", "country")),
        (details.get("currency"), "/details/currency"),
        (details.get("closingDateTime"), "/details/closingDateTime"),
        (details.get("dealValue") is not None, "/details/dealValue"),
        (consent.get("consentToToShareInfoWithOthers"), "/consent/consentToToShareInfoWithOthers"),
        (consent.get("consentToContact"), "/consent/consentToContact"),
    ]
    for value, target in needs:
        if not value or (isinstance(value, str) and not value.strip()):
            raise invalid(f"The field '{target}' is required.", target)
    _check_form(sent)
    requirements = details.get("requirements") or {}
    attributes = (requirements.get("additionalRequirements") or {}).get("attributes") or []
    if quirks.require_marketplace_intent and not any(a.get("type") == "CustomerMarketplaceIntent" for a in attributes):
        target = "/details/requirements/additionalRequirements/attributes"
        raise invalid("The attribute CustomerMarketplaceIntent is required.", target)


def check_invitation(sent: Document, engagement: Iterable[Document]) -> None:
    """Whether Microsoft may be invited into the engagement that the request names."""
    records = list(engagement)
    own = next((record for record in records if not is_microsofts(record)), None)
    if own is None:
        raise invalid(f"The engagement '{sent.get('engagementId')}' does not exist.", "/engagementId")
    if not is_open(own):
        raise invalid("The referral of this engagement is closed.", "/engagementId")
    if not shares_with_microsoft(own) or not sent["consent"].get("consentToShareReferralWithMicrosoftSellers"):
        target = "/consent/consentToShareReferralWithMicrosoftSellers"
        raise invalid("Microsoft can be invited only into a deal that is shared with Microsoft's sellers.", target)
    if any(is_microsofts(record) and is_open(record) for record in records):
        raise invalid("Microsoft is part of this engagement already.", "/target")


def addresses_microsoft(sent: Document) -> bool:
    return any(target.get("id") == MICROSOFT for target in sent.get("target") or [])


def _check_form(sent: Document) -> None:
    country = sent["customerProfile"]["address"]["country"]
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise invalid("The country must be two letters (ISO 3166-1 alpha-2).", "/customerProfile/address/country")
    currency = sent["details"]["currency"]
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise invalid("The currency must be three capital letters (ISO 4217).", "/details/currency")
    if sent["details"]["dealValue"] < 0:
        raise invalid("The deal value must not be negative.", "/details/dealValue")
    solutions = (sent["details"].get("requirements") or {}).get("solutions") or []
    if not 1 <= len(solutions) <= 50 or not all(solution.get("id") for solution in solutions):
        raise invalid("A deal needs 1 to 50 solutions, each with an id.", "/details/requirements/solutions")
    _check_members(sent.get("team") or [], "/team", least=1)
    help_wanted = (sent.get("inviteContext") or {}).get("assistanceRequestCode") in HELP_CODES
    _check_members(sent["customerProfile"].get("team") or [], "/customerProfile/team", least=1 if help_wanted else 0)


def _check_members(members: list[Document], target: str, *, least: int) -> None:
    if not least <= len(members) <= 50:
        raise invalid(f"'{target}' must have {least} to 50 members.", target)
    for index, member in enumerate(members):
        missing = next((name for name in _MEMBER if not (member.get(name) or "").strip()), None)
        if missing:
            raise invalid(f"A member needs a {missing}.", f"{target}/{index}/{missing}")


def _without_registrations(document: Document) -> Document:
    return {name: value for name, value in document.items() if not name.startswith("registration")}
