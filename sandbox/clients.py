"""The people of the sandbox, for scenarios, tests and the live page: a seller in Dynamics 365, a user of the portal.

`Seller` edits Dataverse as the seller does, through the ordinary Web API under the seller's own user id, so the
connector cannot tell it from a person. `PartnerCenterPortal` is the web portal of Partner Center: the partner's own
user, and Microsoft's. Both speak plain JSON; a refusal becomes `Refused` with the simulator's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

import requests

from sandbox.layout import Layout
from sandbox.loopback import Loopback

SOLUTION_ID = "SOL-12345-ABC"
HELP_PROOF_OF_CONCEPT = 100000003
type Values = Mapping[str, Any]
"""Column (as the Web API spells it) → JSON value."""

ACCOUNT: Values = {
    "name": "Contoso",
    "address1_line1": "1 Microsoft Way",
    "address1_city": "Redmond",
    "address1_stateorprovince": "WA",
    "address1_postalcode": "98052",
    "address1_country": "US",
    "numberofemployees": 240,
}
CONTACT: Values = {
    "firstname": "Ada",
    "lastname": "Lind",
    "emailaddress1": "ada.lind@contoso.example",
    "telephone1": "+1 425 555 0100",
}


class Refused(Exception):
    """A simulator said no."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(
            f"{_words(answer)} ({answer.status_code} to {answer.request.method} {answer.request.path_url})"
        )
        self.status = answer.status_code
        self.sentence = _words(answer)


def _words(answer: requests.Response) -> str:
    """The message in an error body of either vendor, else the beginning of the text."""
    try:
        error = answer.json()
    except ValueError:
        return answer.text.strip()[:300] or answer.reason
    inner = error.get("error", error) if isinstance(error, dict) else error
    message = inner.get("message") if isinstance(inner, dict) else inner
    return str(message or inner)[:600]


def connection(layout: Layout) -> requests.Session:
    """An HTTP session that trusts the sandbox's authority and nothing of the surrounding environment."""
    return Loopback(layout.ca_bundle)


class _Api:
    """JSON requests below one address."""

    def __init__(self, layout: Layout, address: str) -> None:
        self.layout = layout
        self._address = address
        self._http = connection(layout)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """One request; `Refused` unless it is answered 2xx."""
        answer = self._http.request(method, f"{self._address}{path}", json=body, headers=headers, timeout=30)
        if not answer.ok:
            raise Refused(answer)
        return answer

    def close(self) -> None:
        self._http.close()


class Seller(_Api):
    """A seller in Dynamics 365. Tables by their set name (`opportunities`), ids as lower-case GUIDs."""

    def __init__(self, layout: Layout, user_id: str | None = None) -> None:
        super().__init__(layout, f"{layout.dataverse_url}/_sim/user/{user_id or layout.seller_user_id}/api/data/v9.2")

    def create(self, table: str, values: Values) -> str:
        """The new row's id."""
        answer = self.send("POST", f"/{table}", dict(values))
        return answer.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")

    def read(self, table: str, row_id: str, *columns: str) -> dict[str, Any]:
        """One row, all columns unless some are named."""
        query = f"?$select={','.join(columns)}" if columns else ""
        row: dict[str, Any] = self.send("GET", f"/{table}({row_id}){query}").json()
        return row

    def find(self, table: str, **options: str) -> list[dict[str, Any]]:
        """Rows; `options` without their `$`: select="name", filter="name eq 'Contoso'", orderby="createdon desc"."""
        query = "&".join(f"${name}={quote(value)}" for name, value in options.items())
        rows: list[dict[str, Any]] = self.send("GET", f"/{table}?{query}").json()["value"]
        return rows

    def update(self, table: str, row_id: str, **values: Any) -> None:
        """Change columns of an existing row."""
        self.send("PATCH", f"/{table}({row_id})", values, **{"If-Match": "*"})

    def delete(self, table: str, row_id: str) -> None:
        self.send("DELETE", f"/{table}({row_id})")

    def account(self, **values: Any) -> str:
        """A complete account, by default Contoso."""
        return self.create("accounts", {**ACCOUNT, **values})

    def contact(self, account_id: str, **values: Any) -> str:
        """A complete contact of the account."""
        parent = {"parentcustomerid_account@odata.bind": f"/accounts({account_id})"}
        return self.create("contacts", {**CONTACT, **parent, **values})

    def solution(self, opportunity_id: str, solution_id: str = SOLUTION_ID, name: str = "Warehouse Insight") -> str:
        """A row in the opportunity's list of solutions."""
        parent = {"cosell_OpportunityId@odata.bind": f"/opportunities({opportunity_id})"}
        return self.create(
            "cosell_microsoftsolutions", {"cosell_name": name, "cosell_solutionid": solution_id, **parent}
        )

    def opportunity(self, account_id: str | None, contact_id: str | None, **values: Any) -> str:
        """An opportunity in US dollars with Sync = Yes; it has no solution yet, as after a seller's first save."""
        links = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({self.currency_id('USD')})"}
        if account_id:
            links |= dict.fromkeys(_ACCOUNT_LINKS, f"/accounts({account_id})")
        if contact_id:
            links["parentcontactid@odata.bind"] = f"/contacts({contact_id})"
        defaults = {
            "name": "Contoso warehouse analytics",
            "estimatedvalue": 50000,
            "estimatedclosedate": "2027-06-30",
            "description": "Pilot in two warehouses first.",
            "cosell_syncwithpartnercenter": True,
        }
        return self.create("opportunities", {**defaults, **links, **values})

    def deal(self, *, help_option: int | None = None, **values: Any) -> str:
        """Account, contact, opportunity and solution, as a seller enters them; the opportunity's id.

        `help_option` asks Microsoft for help and so makes it a co-sell deal.
        """
        account = self.account()
        if help_option is not None:
            values = {"cosell_howcanmicrosofthelp": help_option, **values}
        opportunity = self.opportunity(account, self.contact(account), **values)
        self.solution(opportunity)
        return opportunity

    def win(self, opportunity_id: str, status: int = 3, **activity: Any) -> None:
        """Close as won."""
        self._close("WinOpportunity", opportunity_id, status, activity)

    def lose(self, opportunity_id: str, status: int = 4, **activity: Any) -> None:
        """Close as lost: 4 cancelled, 5 out-sold. For an inbound deal on hold this declines it."""
        self._close("LoseOpportunity", opportunity_id, status, activity)

    def currency_id(self, code: str) -> str:
        """The currency's row id by its ISO code."""
        rows = self.find("transactioncurrencies", select="transactioncurrencyid", filter=f"isocurrencycode eq '{code}'")
        return str(rows[0]["transactioncurrencyid"])

    def _close(self, action: str, opportunity_id: str, status: int, activity: Values) -> None:
        parent = {"opportunityid@odata.bind": f"/opportunities({opportunity_id})"}
        closing = {"subject": "Closed by the seller", **activity, **parent}
        self.send("POST", f"/{action}", {"Status": status, "OpportunityClose": closing})


_ACCOUNT_LINKS = ("customerid_account@odata.bind", "parentaccountid@odata.bind")
MicrosoftAction = Literal["accept", "decline", "win", "lose", "expire", "edit"]


class PartnerCenterPortal(_Api):
    """Both sides of the portal. Referrals come and go as the API's own documents (camel-case)."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, f"{layout.partner_center_url}/_sim")

    def referrals(self, **wanted: str) -> list[dict[str, Any]]:
        """Every referral, Microsoft's included; or those with these values only, by property."""
        found: list[dict[str, Any]] = self.send("GET", f"/referrals?{urlencode(wanted)}").json()
        return found

    def referral(self, referral_id: str) -> dict[str, Any]:
        """One referral; `Refused` 404 when there is none."""
        found: dict[str, Any] = self.send("GET", f"/referrals/{referral_id}").json()
        return found

    def engagement(self, engagement_id: str) -> list[dict[str, Any]]:
        """The partner's and Microsoft's referral of one deal."""
        return self.referrals(engagementId=engagement_id)

    def of_opportunity(self, opportunity_id: str) -> list[dict[str, Any]]:
        """The partner's referrals that carry this CRM id; one, when all is well."""
        return self.referrals(externalReferenceId=opportunity_id)

    def inbound(self, **values: Any) -> dict[str, Any]:
        """Microsoft sends a deal; the partner's new referral. What `values` leave out comes from an example deal.

        `kind`: `co-sell` (default), `lead`, `marketplace-lead` or `partner`.
        """
        referral: dict[str, Any] = self.send("POST", "/inbound", values).json()
        return referral

    def create(self, **values: Any) -> dict[str, Any]:
        """The partner's user creates a deal in the portal; the new referral. Gaps are filled as in `inbound`.

        With `inviteContext.assistanceRequestCode` Microsoft is invited as well.
        """
        referral: dict[str, Any] = self.send("POST", "/referrals", values).json()
        return referral

    def edit(self, referral_id: str, changes: Values) -> dict[str, Any]:
        """The partner's user changes a deal; `changes` is a partial referral document."""
        changed: dict[str, Any] = self.send("PATCH", f"/referrals/{referral_id}", dict(changes)).json()
        return changed

    def accept(self, referral_id: str) -> dict[str, Any]:
        """The partner's user accepts an inbound deal in the portal instead of in the CRM."""
        return self.edit(referral_id, {"status": "Active", "substatus": "Accepted"})

    def decline(self, referral_id: str, reason: str = "Others") -> dict[str, Any]:
        return self.edit(referral_id, {"status": "Closed", "substatus": "Declined", "statusReason": reason})

    def microsoft(self, engagement_id: str, action: MicrosoftAction, **values: Any) -> None:
        """Microsoft's seller acts on Microsoft's record of the deal; `edit` takes `changes`, a partial referral."""
        self.send("POST", f"/engagements/{engagement_id}/microsoft", {"action": action, **values})


def request_count(
    layout: Layout, part: Literal["partner_center", "dataverse", "entra"], method: str = "", path: str = "/"
) -> int:
    """How many requests a simulator received from the connector, by exact method and path prefix."""
    address = {
        "partner_center": layout.partner_center_url,
        "dataverse": layout.dataverse_url,
        "entra": layout.entra_url,
    }[part]
    with connection(layout) as http:
        answer = http.get(f"{address}/_sim/requests", params={"method": method, "path": path}, timeout=10)
    return len(answer.json())
