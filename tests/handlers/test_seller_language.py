"""The seller's language from end to end: what stands on the record is theirs, codes and what is remembered are not."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from shared.domain.sentences import LANGUAGES
from shared.handlers import create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared.handlers import partner_center_microsoft_cosell_referral_updates_to_dynamics_365 as flow_3
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.handlers import reminders
from shared.messages import Hint
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal


def hint(subject: str, row_id: str) -> Hint:
    return Hint(subject=subject, id=uuid.UUID(row_id), reason="change")


def audit(made: Bench) -> list[str]:
    """Newest first, without time, run and reference."""
    ((_, row),) = made.dataverse.rows.all("opportunity").items()
    return [" | ".join(line.split(" | ")[1:5]) for line in str(row["cosell_audit"]).splitlines()]


def test_what_a_deal_lacks_is_said_in_the_sellers_language_once_in_whatever_language() -> None:
    made = bench(SELLER_LANGUAGE="de", SOLUTION_GRACE_SECONDS="0")
    values = {"name": "Neu", "cosell_syncwithpartnercenter": True}
    opportunity_id = made.dataverse.as_user().create("opportunity", values)
    assert flow_2.handle(hint("opportunity", opportunity_id), made.connections) == "blocked"
    (line,) = audit(made)
    assert line.startswith("CRM>PC | CREATE | FAILED | SOLUTION_REQUIRED: fügen Sie mindestens eine ")
    assert "CUSTOMER_REQUIRED: wählen Sie die Firma des Kunden aus; " in line
    french = replace(made.connections, terms=replace(made.connections.terms, sentences=LANGUAGES["fr"]))
    assert flow_2.handle(hint("opportunity", opportunity_id), french) == "blocked"
    assert audit(made) == [line], "what was told is remembered by its meaning"


def test_a_deals_whole_life_in_french() -> None:
    made = bench(SELLER_LANGUAGE="fr")
    for row_id in (str(uuid.uuid4()), str(uuid.uuid4())):
        twin = {"name": "Northgate Foods AS", "address1_postalcode": "5003"}
        made.dataverse.as_user().create("account", twin, row_id)
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    flow_4.handle(hint("referral", referral.id), made.connections)
    microsofts = next(one for one in made.partner_center.engagement(str(referral.engagement_id)) if one.is_microsofts)
    made.partner_center.edit_in_portal(microsofts.id, status="Closed", substatus="Lost", statusReason="Others")
    flow_3.handle(hint("referral", microsofts.id), made.connections)
    made.clock.advance(timedelta(days=8).total_seconds())
    reminders.handle(made.connections)
    made.partner_center.edit_in_portal(referral.id, status="Closed", substatus="Declined", statusReason="Others")
    flow_4.handle(hint("referral", referral.id), made.connections)
    day = f"{referral.expiration_date_time:%Y-%m-%d}"
    assert audit(made) == [
        "PC>CRM | CLOSE | OK | Refusée dans Partner Center",
        f"PC>CRM | REMIND | OK | RESPOND_BY: répondez à cette affaire au plus tard le {day}, "
        "sinon Partner Center la laissera expirer",
        "PC>CRM | MICROSOFT | OK | état chez Microsoft Accepted>Lost, 1 vendeur de Microsoft, motif Others",
        "PC>CRM | CREATE | OK | opportunité créée; ACCOUNT_AMBIGUOUS: 2 comptes correspondent au client ; "
        "le compte actif modifié en dernier a été retenu",
    ]
    ((_, activity),) = made.dataverse.rows.all("opportunityclose").items()
    assert activity["subject"] == "Refusée dans Partner Center"
