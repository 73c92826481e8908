"""Partner Center's Referrals API as the port `shared.ports.PartnerCenter`.

URLs are built from the base address and ids, never from links in answers: of a next link only the query is taken.
Reading is lenient (`shared.domain.referral`), writing is strict: a PATCH may touch only the paths the service is known
to accept. Where the documentation leaves open which filter the service understands, the spellings are tried in turn and
the first that is not refused is remembered. Contract: Referrals API reference and its OpenAPI file.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import batched, takewhile
from typing import Any

from shared.clients import failures, wire
from shared.clients.failures import Meaning, Vendor
from shared.clients.http import Answer, HttpClient
from shared.clients.limiter import BULK_PATIENCE_S, PATIENCE_S
from shared.clients.odata import literal, query, query_of, segment
from shared.domain.referral import Referral
from shared.errors import AuthorizationError, Bug, Conflict, DataProblem, Unavailable, UnknownOutcome
from shared.ports import PatchOperation

_CHANGED = Meaning(
    Conflict, "VERSION", "The referral was changed in Partner Center meanwhile.", "Nothing to do: it is read again."
)
_MFA = Meaning(
    AuthorizationError,
    "MFA",
    "Partner Center requires multi-factor authentication, which the service user's consent lacks.",
    "Renew the consent with a second factor: python -m admin consent.",
)
PARTNER_CENTER = Vendor(
    "PC",
    "Partner Center",
    sign_in="Renew the consent of the service user: python -m admin consent.",
    access="Give the service user the role Referrals admin in Partner Center, for all locations.",
    codes={"preconditionfailed": _CHANGED, "resourcemodified": _CHANGED, "900421": _MFA},
)

_LIST = "/v1.0/engagements/referrals"
_MOST_PAGES = 1_000
_ENGAGEMENTS_AT_ONCE = 25
"""Deals in one filter: its records fit on a page, and its text into the 2048 characters some gateways allow."""
_BY_CHANGE = "updatedDateTime asc"
_BY_AGE = "createdDateTime asc"
_CONTRACT = r"/contract/(startDateTime|endDateTime|signDateTime|term|value)"
_SOLUTION = (
    r"/solutionDetails/0/(value|currency|isDeployedOnAzure|primaryDeploymentOn|pricingModel"
    r"|marketplaceTransactionDetails/(isMarketplaceTransacted|marketplaceTransactionDateTime))"
)
_WRITABLE = re.compile(
    r"/(status|substatus|statusReason|externalReferenceId|campaignId|salesStage|referralProgram|name"
    r"|details/(dealValue|currency|notes|closingDateTime|requirements/solutions(/-)?)"
    r"|(customerProfile/)?team(/-)?"
    r"|consent/consentToShareReferralWithMicrosoftSellers"
    rf"|registrations/(-|0({_CONTRACT}|{_SOLUTION})))"
)
"""What a PATCH may touch: the paths of the vendor's own connector, and `/name`."""


def referral_headers(correlation_id: str) -> Mapping[str, str]:
    """The Referrals API's own headers for one attempt."""
    return {"client-request-id": str(uuid.uuid4()), "MS-CorrelationId": correlation_id}


class PartnerCenterClient:
    """`http` stands for https://api.partner.microsoft.com, without a path."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._accepted: dict[str, int] = {}
        """Kind of filter → index of the spelling that works."""
        self._filters_references = True
        self._joins_filters = True

    def get(self, referral_id: str) -> Referral:
        return self._referral(self._http.get(self._path(referral_id)))

    def engagement(self, engagement_id: str) -> list[Referral]:
        spellings = [f"engagementId eq {literal(engagement_id)}"]
        if re.fullmatch(r"[0-9A-Za-z-]+", engagement_id):
            spellings.append(f"engagementId eq {engagement_id}")
        page, _ = self._first_page("engagement", spellings)
        return list(self._pages(page))

    def engagements(self, engagement_ids: Iterable[str]) -> list[Referral]:
        found: list[Referral] = []
        for some in batched(dict.fromkeys(engagement_ids), _ENGAGEMENTS_AT_ONCE, strict=False):
            found += self._engagements(some)
        return found

    def _engagements(self, some: Sequence[str]) -> list[Referral]:
        if self._joins_filters and len(some) > 1:
            each = " or ".join(f"engagementId eq {literal(engagement_id)}" for engagement_id in some)
            try:
                page = self._page(_query(each), BULK_PATIENCE_S)
            except DataProblem:
                self._joins_filters = False
            else:
                return list(self._pages(page, BULK_PATIENCE_S))
        return [referral for engagement_id in some for referral in self.engagement(engagement_id)]

    def updated_since(self, moment: datetime) -> Iterator[Referral]:
        since = wire.moment(moment.replace(microsecond=0))
        filters = [f"updatedDateTime ge {since}", f"updatedDateTime ge '{since}'", None]
        page, spelling = self._first_page("updated", filters, BULK_PATIENCE_S)
        referrals = self._pages(page, BULK_PATIENCE_S)
        if spelling is not None:
            yield from (referral for referral in referrals if not _before(referral, moment))
        else:
            yield from reversed(list(takewhile(lambda referral: not _before(referral, moment), referrals)))

    def still_open(self) -> Iterator[Referral]:
        filters = ["status ne 'Closed'", "status eq 'New' or status eq 'Active'", None]
        # By age: a deal that changes while the pages are read keeps its place.
        page, _ = self._first_page("open", filters, BULK_PATIENCE_S, _BY_AGE)
        for referral in self._pages(page, BULK_PATIENCE_S):
            if (referral.status or "").lower() != "closed":
                yield referral

    def find_by_external_reference(self, opportunity_id: str, since: datetime) -> list[Referral]:
        candidates: Iterable[Referral] | None = None
        if self._filters_references:
            try:
                page = self._page(_query(f"externalReferenceId eq {literal(opportunity_id)}"))
            except DataProblem:
                self._filters_references = False
            else:
                candidates = self._pages(page)
        if candidates is None:
            candidates = self.updated_since(since)
        # Compared here in either case: a service may also ignore a filter that it does not know.
        wanted = opportunity_id.lower()
        return [
            referral
            for referral in candidates
            if (referral.external_reference_id or "").strip().lower() == wanted and not _before(referral, since)
        ]

    def create(self, body: Mapping[str, Any]) -> Referral:
        answer = self._http.request("POST", _LIST, body=body)
        if not isinstance(answer.body, dict) or not (referral := self._referral(answer)).id:
            raise UnknownOutcome(
                "PC_CREATED_WITHOUT_ID",
                f"Partner Center took the new referral (HTTP {answer.status}) without telling its id.",
                "Nothing to do: the connector looks it up by its CRM id.",
            )
        return referral

    def patch(self, referral_id: str, operations: Sequence[PatchOperation], etag: str | None) -> Referral:
        body = [_operation(operation) for operation in operations]
        headers = {"Prefer": "return=representation"} | ({"If-Match": etag} if etag else {})
        answer = self._http.request("PATCH", self._path(referral_id), headers=headers, body=body)
        return self._referral(answer) if isinstance(answer.body, dict) else self.get(referral_id)

    def _path(self, referral_id: str) -> str:
        try:
            return f"{_LIST}/{segment(referral_id)}"
        except ValueError:  # such as "..", which a seller may have typed into the id's column
            raise failures.from_answer(wire.Problem(404), PARTNER_CENTER, repeatable=True) from None

    def _referral(self, answer: Answer) -> Referral:
        if not isinstance(answer.body, dict):
            raise failures.unreadable(PARTNER_CENTER, repeatable=True)
        referral = Referral.model_validate(answer.body)
        if referral.e_tag is None and answer.headers.get("ETag"):
            return referral.model_copy(update={"e_tag": answer.headers["ETag"]})
        return referral

    # lists ----------------------------------------------------------------------------------------------------------
    def _pages(self, page: Mapping[str, Any], patience_s: float = PATIENCE_S) -> Iterator[Referral]:
        """The referrals of this page and all that follow, each once."""
        seen_ids: set[str] = set()
        seen_links: set[str] = set()
        while True:
            for document in page.get("value") or []:
                referral = Referral.model_validate(document) if isinstance(document, dict) else Referral()
                if referral.id and referral.id not in seen_ids:
                    seen_ids.add(referral.id)
                    yield referral
            link = page.get("@odata.nextLink")
            if not link:
                return
            try:
                asked = query_of(link)
            except ValueError:
                raise failures.unreadable(PARTNER_CENTER, repeatable=True) from None
            if asked in seen_links or len(seen_links) >= _MOST_PAGES:
                raise Unavailable(
                    "PC_PAGES", "Partner Center's list of referrals does not end.", "It is tried again later."
                )
            seen_links.add(asked)
            page = self._page(asked, patience_s)

    def _first_page(
        self, kind: str, filters: Sequence[str | None], patience_s: float = PATIENCE_S, order: str = _BY_CHANGE
    ) -> tuple[Mapping[str, Any], str | None]:
        """The first page of the first filter that the service accepts, and that filter; None: all, newest first."""
        for index in range(self._accepted.get(kind, 0), len(filters)):
            try:
                page = self._page(_query(filters[index], order), patience_s)
            except DataProblem:
                continue
            self._accepted[kind] = index
            return page, filters[index]
        raise Bug("PC_FILTER", f"Partner Center refuses every spelling of the filter '{kind}'.", "Report this.")

    def _page(self, asked: str, patience_s: float = PATIENCE_S) -> Mapping[str, Any]:
        answer = self._http.get(f"{_LIST}?{asked}", patience_s=patience_s)
        if not isinstance(answer.body, dict):
            raise failures.unreadable(PARTNER_CENTER, repeatable=True)
        return answer.body


def _query(condition: str | None, order: str = _BY_CHANGE) -> str:
    """The query of a first page, without its question mark, as next links have theirs."""
    options = {"orderby": "updatedDateTime desc"}
    if condition is not None:
        options = {"filter": condition, "orderby": order}
    return query(options).removeprefix("?")


def _before(referral: Referral, moment: datetime) -> bool:
    return referral.updated_date_time is not None and referral.updated_date_time < moment


def _operation(operation: PatchOperation) -> dict[str, Any]:
    if operation.op not in ("replace", "add") or not _WRITABLE.fullmatch(operation.path):
        raise Bug(
            "PC_PATH",
            f"{operation.op} {operation.path} is not among the changes Partner Center is known to accept.",
            "Correct the field mapping: this property cannot be sent.",
        )
    return {"op": operation.op, "path": operation.path, "value": operation.value}
