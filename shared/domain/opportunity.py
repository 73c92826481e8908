"""An opportunity with everything a deal needs around it: account, contact, owner, currency, solution rows.

Built from one `Row` read with `EXPAND`; the columns to read come from the mapping table (`columns`). Column facts: the
Dataverse table reference for opportunity and `infra/dataverse/schema.toml` for the connector's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from shared.domain import marks
from shared.domain.mapping import Mapping
from shared.domain.row import Lookup, Row
from shared.domain.state import COLUMN, SyncState, parse

OPEN, WON, LOST = 0, 1, 2
"""statecode of an opportunity."""
SOLUTION_TABLE = "cosell_microsoftsolution"
_OWN = (
    "name",
    "statecode",
    "statuscode",
    "createdon",
    "modifiedon",
    "actualclosedate",
    "actualvalue",
    "customerid",
    "parentaccountid",
    "parentcontactid",
    "ownerid",
    "originatingleadid",
    "transactioncurrencyid",
    "cosell_syncwithpartnercenter",
    "cosell_referralidentifier",
    "cosell_referrallink",
    "cosell_engagementidentifier",
    "cosell_microsoftreferralidentifier",
    "cosell_microsoftcrmidentifier",
    "cosell_microsoftstatus",
    "cosell_referralstatus",
    "cosell_syncstatus",
    "cosell_dealtype",
    "cosell_closereason",
    "cosell_consentconfirmed",
    "cosell_products",
    "cosell_audit",
    COLUMN,
)
CONTACT = ("firstname", "lastname", "emailaddress1", "telephone1", "mobilephone", "jobtitle")
_ACCOUNT = (
    "name",
    "address1_line1",
    "address1_line2",
    "address1_city",
    "address1_stateorprovince",
    "address1_postalcode",
    "numberofemployees",
    "primarycontactid",
    "cosell_dunsnumber",
)
_CLOCKS_DIFFER = timedelta(minutes=1)
_SEPARATORS = re.compile(r"[,;|\r\n]+")


def columns(mapping: Mapping) -> tuple[str, ...]:
    """The opportunity columns one read must bring, without the solutions' table."""
    mapped = (row.column for row in mapping.opportunity if row.rule != "solutions")
    extra = (mapping.deal_value_fallback,) if mapping.deal_value_fallback else ()
    return tuple(dict.fromkeys((*_OWN, *mapped, *extra)))


def expand(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """The related rows one read must bring."""
    account = tuple(dict.fromkeys((*_ACCOUNT, *(row.column for row in mapping.account))))
    return {
        "parentaccountid": account,
        "parentcontactid": CONTACT,
        "ownerid": ("firstname", "lastname", "internalemailaddress", "address1_telephone1", "mobilephone"),
        "transactioncurrencyid": ("isocurrencycode", "currencyprecision"),
        SOLUTION_TABLE: ("cosell_name", "cosell_solutionid", "cosell_solutiontype"),
    }


@dataclass(frozen=True)
class Opportunity:
    """The row and, where they could not come with it, the customer account and the account's primary contact."""

    row: Row
    customer_account: Row | None = None
    primary_contact: Row | None = None

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def etag(self) -> str:
        return self.row.etag

    @cached_property
    def state(self) -> SyncState:
        return parse(self.row.text(COLUMN))

    @property
    def name(self) -> str:
        """The name without our marks."""
        return marks.strip(self.row.text("name"))

    @property
    def synced(self) -> bool:
        """The seller's master switch."""
        return self.row.values.get("cosell_syncwithpartnercenter") is True

    @property
    def referral_id(self) -> str | None:
        value = self.row.text("cosell_referralidentifier")
        return value.strip().lower() if value else None

    @property
    def is_copy(self) -> bool:
        """Whether it carries another deal's link without the id: our own writes always set both together."""
        linked = self.state.referral_id or self.row.text("cosell_engagementidentifier")
        return self.referral_id is None and linked is not None

    @property
    def microsoft_referral_id(self) -> str | None:
        return self.row.text("cosell_microsoftreferralidentifier") or self.state.microsoft_referral_id

    @property
    def changed_at(self) -> datetime | None:
        """When it was last changed; that a delay was told of is no change, and leaves the time of the one before."""
        modified, delay = self.row.values.get("modifiedon"), self.state.delay
        if not isinstance(modified, datetime):
            return None
        return delay.changed_at if delay and modified <= delay.told_at + _CLOCKS_DIFFER else modified

    @property
    def statecode(self) -> int:
        return int(self.row.values.get("statecode") or 0)

    @property
    def statuscode(self) -> int:
        return int(self.row.values.get("statuscode") or 1)

    @property
    def account(self) -> Row | None:
        """parentaccountid, else the customer when that is an account."""
        return self.row.related("parentaccountid") or self.customer_account

    @property
    def account_id(self) -> str | None:
        lookup = self.row.lookup("parentaccountid") or self.row.lookup("customerid")
        return lookup.id if lookup and lookup.table == "account" else None

    @property
    def contact(self) -> Row | None:
        """parentcontactid, else the customer when that is a contact, else the account's primary contact."""
        return self.row.related("parentcontactid") or self.primary_contact

    @property
    def owner(self) -> Row | None:
        return self.row.related("ownerid")

    @property
    def currency(self) -> str | None:
        """ISO 4217 code of the row's own currency."""
        row = self.row.related("transactioncurrencyid")
        code = row.text("isocurrencycode") if row else None
        return code.upper() if code else None

    @property
    def customer(self) -> Lookup | None:
        return self.row.lookup("customerid")

    @cached_property
    def solutions(self) -> dict[str, str]:
        """Solution id → name; from the rows, else from the obsolete Products text. Duplicates are one."""
        rows = self.row.children(SOLUTION_TABLE)
        found = {solution_id(row.text("cosell_solutionid")): row.text("cosell_name") or "" for row in rows}
        found.pop("", None)
        if found:
            return found
        products = _SEPARATORS.split(self.row.text("cosell_products") or "")
        return {solution_id(part): "" for part in products if part.strip()}


def solution_id(text: str | None) -> str:
    """Co-sell solution ids upper-case; Microsoft's category keys and GUIDs as they are."""
    bare = (text or "").strip()
    return bare.upper() if bare.upper().startswith("SOL-") else bare
