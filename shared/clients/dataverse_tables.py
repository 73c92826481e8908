"""How Dataverse spells the tables the connector uses: set names, keys, navigation properties of lookups and children.

Everywhere else tables and columns go by their logical names; this is the one place that knows the rest. Navigation
names are case-sensitive; a lookup that may point to several tables has one for each. Names of the connector's own
tables are those of `infra/dataverse/schema.toml`, which a test holds this table against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import Bug


@dataclass(frozen=True)
class Table:
    """One table. `lookups`: column → target table → navigation property; `children`: table → collection."""

    set_name: str
    key: str
    lookups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    children: Mapping[str, str] = field(default_factory=dict)


def _to(column: str, target: str) -> dict[str, Mapping[str, str]]:
    """A lookup whose navigation property is called like the column."""
    return {column: {target: column}}


def _customer(column: str) -> dict[str, Mapping[str, str]]:
    return {column: {"account": f"{column}_account", "contact": f"{column}_contact"}}


_OWNED: dict[str, Mapping[str, str]] = {
    "ownerid": {"systemuser": "ownerid", "team": "ownerid"},
    **_to("createdby", "systemuser"),
    **_to("modifiedby", "systemuser"),
}
_CURRENCY = _to("transactioncurrencyid", "transactioncurrency")

TABLES: Mapping[str, Table] = {
    "opportunity": Table(
        "opportunities",
        "opportunityid",
        {
            **_OWNED,
            **_CURRENCY,
            **_customer("customerid"),
            **_to("parentaccountid", "account"),
            **_to("parentcontactid", "contact"),
            **_to("originatingleadid", "lead"),
            **_to("campaignid", "campaign"),
            **_to("pricelevelid", "pricelevel"),
        },
        {
            "cosell_microsoftsolution": "cosell_opportunity_microsoftsolution",
            "annotation": "Opportunity_Annotation",
            "opportunityclose": "Opportunity_OpportunityClose",
        },
    ),
    "account": Table(
        "accounts",
        "accountid",
        {
            **_OWNED,
            **_CURRENCY,
            **_to("masterid", "account"),
            **_to("parentaccountid", "account"),
            **_to("primarycontactid", "contact"),
        },
    ),
    "contact": Table(
        "contacts",
        "contactid",
        {**_OWNED, **_CURRENCY, **_to("masterid", "contact"), **_customer("parentcustomerid")},
    ),
    "lead": Table(
        "leads",
        "leadid",
        {
            **_OWNED,
            **_CURRENCY,
            **_customer("customerid"),
            **_to("parentaccountid", "account"),
            **_to("parentcontactid", "contact"),
            **_to("qualifyingopportunityid", "opportunity"),
        },
    ),
    "cosell_microsoftsolution": Table(
        "cosell_microsoftsolutions",
        "cosell_microsoftsolutionid",
        {
            **_OWNED,
            "cosell_opportunityid": {"opportunity": "cosell_OpportunityId"},
            "cosell_solutiondetailid": {"cosell_microsoftsolutiondetail": "cosell_SolutionDetailId"},
        },
    ),
    "cosell_microsoftsolutiondetail": Table(
        "cosell_microsoftsolutiondetails",
        "cosell_microsoftsolutiondetailid",
        _OWNED,
        {"cosell_microsoftsolution": "cosell_solutiondetail_microsoftsolution"},
    ),
    "cosell_closing": Table("cosell_closings", "cosell_closingid", _OWNED),
    "annotation": Table(
        "annotations",
        "annotationid",
        {
            **_OWNED,
            "objectid": {
                name: f"objectid_{name}" for name in ("opportunity", "account", "contact", "lead", "opportunityclose")
            },
        },
    ),
    "opportunityclose": Table(
        "opportunitycloses", "activityid", {**_OWNED, **_CURRENCY, **_to("opportunityid", "opportunity")}
    ),
    "transactioncurrency": Table("transactioncurrencies", "transactioncurrencyid"),
    "systemuser": Table("systemusers", "systemuserid"),
    "team": Table("teams", "teamid"),
    "campaign": Table("campaigns", "campaignid"),
    "pricelevel": Table("pricelevels", "pricelevelid"),
    "organization": Table("organizations", "organizationid", _to("basecurrencyid", "transactioncurrency")),
    "asyncoperation": Table("asyncoperations", "asyncoperationid"),
}
"""Logical name → table."""

EXPANDED_OWNER = {"systemuser": "owninguser", "team": "owningteam"}
"""`ownerid` itself cannot be expanded with columns; the user or team behind it can."""


def table(name: str) -> Table:
    """The table by logical name."""
    if name not in TABLES:
        raise Bug("DV_TABLE", f"The connector does not know the Dataverse table {name}.", "Correct the field mapping.")
    return TABLES[name]
