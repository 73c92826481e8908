"""Functions and actions: WhoAmI, the current organisation, winning and losing an opportunity, qualifying a lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.dataverse import errors, rows, writes
from sandbox.dataverse.binding import body_values
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.url import Segment
from sandbox.dataverse.values import is_guid, stamp
from sandbox.dataverse.wire import ApiRequest, ApiResponse, require_privilege
from sandbox.tokens import Refusal

_WON, _LOST = 1, 2
_LEAD_QUALIFIED = 1


def who_am_i(env: Environment, request: ApiRequest) -> ApiResponse:
    user = env.store.get("systemuser", request.caller.user_id) or {}
    unit = user.get("businessunitid") or env.root_business_unit()
    return ApiResponse(
        200,
        {
            "@odata.context": f"{request.root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": unit.id,
            "UserId": request.caller.user_id,
            "OrganizationId": env.layout.dataverse_organization_id,
        },
    )


def current_organization(env: Environment, request: ApiRequest) -> ApiResponse:
    organization_id = env.layout.dataverse_organization_id
    detail = {
        "OrganizationId": organization_id,
        "FriendlyName": env.organization()["name"],
        "UniqueName": f"unq{organization_id.replace('-', '')[:29]}",
        "OrganizationVersion": "9.2.24104.00180",
        "State": "Enabled",
        "Endpoints": {
            "Count": 1,
            "Keys": ["WebApplication"],
            "Values": [f"{env.layout.dataverse_url}/"],
        },
    }
    name = "RetrieveCurrentOrganizationResponse"
    return ApiResponse(
        200, {"@odata.context": f"{request.root}/$metadata#Microsoft.Dynamics.CRM.{name}", "Detail": detail}
    )


def win(env: Environment, request: ApiRequest) -> ApiResponse:
    return _close(env, request, _WON)


def lose(env: Environment, request: ApiRequest) -> ApiResponse:
    return _close(env, request, _LOST)


def _close(env: Environment, request: ApiRequest, state: int) -> ApiResponse:
    """A closing activity, the opportunity's new state, and its actual value and date."""
    opportunity, activity_table = env.schema.tables["opportunity"], env.schema.tables["opportunityclose"]
    body = _parameters(request, "Status", "OpportunityClose")
    reason = _status(opportunity, body["Status"], state)
    row_id, activity = body_values(env, activity_table, body["OpportunityClose"], creating=True)
    ref: Ref | None = activity.get("opportunityid")
    if ref is None:
        raise errors.invalid("The OpportunityClose has no opportunityid.")
    require_privilege(env, request.caller, "Write", opportunity)
    require_privilege(env, request.caller, "Create", activity_table)
    row = env.store.get(*ref) or {}
    if row["statecode"] != 0:
        raise errors.invalid("The opportunity has already been closed. Reopen it first.")
    end = activity.get("actualend") or stamp(env.now())
    revenue = activity.get("actualrevenue", row.get("estimatedvalue") if state == _WON else Decimal(0))
    activity |= {
        "subject": activity.get("subject") or ("Opportunity Won" if state == _WON else "Opportunity Lost"),
        "actualend": end,
        "actualrevenue": revenue,
        "opportunitystatecode": state,
        "opportunitystatuscode": reason,
        "transactioncurrencyid": row.get("transactioncurrencyid"),
    }
    with env.store.transaction():
        new_id = writes.create(env, request.caller, activity_table, activity, row_id)
        closed = {**(env.store.get("opportunityclose", new_id) or {}), "statecode": 1, "statuscode": 2}
        env.store.put("opportunityclose", new_id, closed)
        actual = {"actualvalue": revenue, "actualclosedate": _day(end)}
        new_state = {"statecode": state, "statuscode": reason}
        writes.apply(env, request.caller, opportunity, ref.id, new_state, actual)
        if env.events.close_values:
            writes.apply(env, request.caller, opportunity, ref.id, actual)
    return ApiResponse(204)


def qualify_lead(env: Environment, request: ApiRequest, table: Table, segment: Segment) -> ApiResponse:
    """Bound to a lead: makes the asked-for rows and qualifies it; answers references to what was created."""
    if table.name != "lead":
        raise errors.no_resource("Microsoft.Dynamics.CRM.QualifyLead")
    lead_id, lead = rows.existing(env, table, segment)
    body = _parameters(request, "CreateAccount", "CreateContact", "CreateOpportunity", "Status")
    reason = _status(table, body["Status"], _LEAD_QUALIFIED)
    if lead["statecode"] != 0:
        raise errors.invalid("The lead is already closed.")
    require_privilege(env, request.caller, "Write", table)
    currency = _entity(env, body.get("OpportunityCurrencyId"), ("transactioncurrency",))
    customer = _entity(env, body.get("OpportunityCustomerId"), ("account", "contact"))
    created: list[Ref] = []

    def make(name: str, values: Mapping[str, Any]) -> Ref:
        made = env.schema.tables[name]
        require_privilege(env, request.caller, "Create", made)
        fitting = {column: value for column, value in values.items() if column in made.columns}
        ref = Ref(name, writes.create(env, request.caller, made, fitting))
        created.append(ref)
        return ref

    with env.store.transaction():
        account = make("account", _account_of(lead)) if body["CreateAccount"] else None
        if body["CreateContact"]:
            contact: Ref | None = make("contact", {**_person_of(lead), "parentcustomerid": account})
        else:
            contact = None
        if body["CreateOpportunity"]:
            chosen = customer or account or contact or lead.get("customerid")
            values = _opportunity_of(lead, chosen) | {"originatingleadid": Ref("lead", lead_id)}
            if contact is not None:
                values["parentcontactid"] = contact
            make("opportunity", values | ({"transactioncurrencyid": currency} if currency else {}))
        writes.apply(
            env,
            request.caller,
            table,
            lead_id,
            {"statecode": _LEAD_QUALIFIED, "statuscode": reason},
            {"qualifyingopportunityid": next((ref for ref in created if ref.table == "opportunity"), None)},
        )
    answer = [
        {"@odata.type": f"#Microsoft.Dynamics.CRM.{ref.table}", env.schema.tables[ref.table].primary_id: ref.id}
        for ref in created
    ]
    return ApiResponse(
        200, {"@odata.context": f"{request.root}/$metadata#Collection(mscrm.crmbaseentity)", "value": answer}
    )


def merge_rows(env: Environment, request: ApiRequest, table: Table, keeper: str, subordinate: str) -> None:
    """What merging two accounts or contacts leaves: the subordinate inactive, its deals and people with the keeper.

    The re-parenting raises no events: sources are silent on it, so reconciliation has to find it.
    """
    old, new = Ref(table.name, subordinate), Ref(table.name, keeper)
    with env.store.transaction():
        for relationship in env.schema.children_of(table.name):
            for child_id, row in env.store.all(relationship.referencing).items():
                if row.get(relationship.column) == old:
                    env.store.put(relationship.referencing, child_id, {**row, relationship.column: new})
        state = {"statecode": 1, "statuscode": 2}
        writes.apply(env, request.caller, table, subordinate, state, {"masterid": new, "merged": True})


def _parameters(request: ApiRequest, *names: str) -> dict[str, Any]:
    body = request.json()
    missing = [name for name in names if not isinstance(body, dict) or body.get(name) is None]
    if missing:
        raise errors.invalid(f"Required parameter(s) missing: {', '.join(missing)}.")
    parameters: dict[str, Any] = body
    return parameters


def _status(table: Table, value: Any, state: int) -> int:
    for option in table.columns["statuscode"].options:
        if option.value == value and option.state == state:
            return option.value
    word = table.columns["statecode"].option_label(state)
    raise Refusal(
        400, errors.STATE_MISMATCH, f"{value} is not a valid status code for state code {word} on {table.name}."
    )


def _entity(env: Environment, value: Any, tables: tuple[str, ...]) -> Ref | None:
    """A row given as an entity in a parameter: `{"@odata.type": …, "<primary key>": guid}`."""
    if value is None:
        return None
    for name in tables:
        table = env.schema.tables[name]
        row_id = value.get(table.primary_id) if isinstance(value, dict) else None
        if isinstance(row_id, str) and is_guid(row_id):
            if env.store.get(name, row_id.lower()) is None:
                raise errors.missing(name, row_id)
            return Ref(name, row_id.lower())
    raise errors.invalid(f"An entity parameter must carry the key of one of: {', '.join(tables)}.")


def _day(moment: str) -> str:
    return datetime.fromisoformat(moment).date().isoformat()


def _account_of(lead: Row) -> dict[str, Any]:
    copied = {name: value for name, value in lead.items() if name.startswith("address1_")}
    same = ("websiteurl", "telephone1", "industrycode", "numberofemployees", "description", "ownerid")
    return {"name": lead.get("companyname"), **copied, **{name: lead.get(name) for name in same}}


def _person_of(lead: Row) -> dict[str, Any]:
    same = ("firstname", "lastname", "emailaddress1", "telephone1", "mobilephone", "jobtitle", "ownerid")
    return {name: lead.get(name) for name in same}


def _opportunity_of(lead: Row, customer: Ref | None) -> dict[str, Any]:
    return {
        "name": lead.get("subject"),
        "description": lead.get("description"),
        "estimatedvalue": lead.get("estimatedamount"),
        "budgetamount": lead.get("budgetamount"),
        "estimatedclosedate": lead.get("estimatedclosedate"),
        "opportunityratingcode": lead.get("leadqualitycode"),
        "transactioncurrencyid": lead.get("transactioncurrencyid"),
        "ownerid": lead.get("ownerid"),
        "customerid": customer,
        "parentaccountid": lead.get("parentaccountid"),
        "parentcontactid": lead.get("parentcontactid"),
        "campaignid": lead.get("campaignid"),
    }
