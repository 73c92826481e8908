"""The messages that the registered steps post: shape on the wire, when they come, and the variants of their sending."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal

import pytest

from tests.sandbox.dataverse_fixture import JSON, SOLUTION_QUEUE, Crm, pairs, target, until

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.xdist_group("dataverse"),
    pytest.mark.usefixtures("empty_queues"),
]

CLAIMS = "http://schemas.microsoft.com/xrm/2011/Claims/"
CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
NO_ONE = "00000000-0000-0000-0000-000000000000"
MEMBERS = [
    "BusinessUnitId",
    "CorrelationId",
    "Depth",
    "InitiatingUserAgent",
    "InitiatingUserAzureActiveDirectoryObjectId",
    "InitiatingUserId",
    "InputParameters",
    "IsExecutingOffline",
    "IsInTransaction",
    "IsOfflinePlayback",
    "IsolationMode",
    "MessageName",
    "Mode",
    "OperationCreatedOn",
    "OperationId",
    "OrganizationId",
    "OrganizationName",
    "OutputParameters",
    "OwningExtension",
    "ParentContext",
    "PostEntityImages",
    "PreEntityImages",
    "PrimaryEntityId",
    "PrimaryEntityName",
    "RequestId",
    "SecondaryEntityName",
    "SharedVariables",
    "Stage",
    "UserAzureActiveDirectoryObjectId",
    "UserId",
]
ENTITY = [
    "Attributes",
    "EntityState",
    "FormattedValues",
    "Id",
    "KeyAttributes",
    "LogicalName",
    "RelatedEntities",
    "RowVersion",
]
REFERENCE = ["Id", "KeyAttributes", "LogicalName", "Name", "RowVersion"]


@pytest.fixture
def deal(crm: Crm) -> str:
    """A deal whose Create message is out of the way."""
    row_id = crm.opportunity(name="Fabrikam cloud move", description="Old text", cosell_referralidentifier="ref-1")
    crm.purge()
    return row_id


def change(crm: Crm, row_id: str, **values: object) -> None:
    answer = crm.seller("PATCH", f"/opportunities({row_id})", values, If_Match="*", User_Agent="Mozilla/5.0 (X11)")
    assert answer.status_code == 204, answer.text


def test_an_update_has_the_documented_shape(crm: Crm, deal: str) -> None:
    """Member for member what the contract's full example shows."""
    change(crm, deal, name="Phase 2", estimatedvalue=125000, estimatedclosedate="2026-10-30", description=None)
    (message,) = crm.messages()
    context = message["context"]
    assert list(context) == MEMBERS
    seller, organization = crm.layout.seller_user_id, crm.layout.dataverse_organization_id
    fixed = {
        "Depth": 1,
        "InitiatingUserAgent": "Mozilla/5.0 (X11)",
        "InitiatingUserAzureActiveDirectoryObjectId": NO_ONE,
        "InitiatingUserId": seller,
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": "Update",
        "Mode": 1,
        "OrganizationId": organization,
        "OrganizationName": "unq5f0d9c3e2a414b6e9c1d8a7b6c5d4",
        "OutputParameters": [],
        "ParentContext": None,
        "PrimaryEntityId": deal,
        "PrimaryEntityName": "opportunity",
        "SecondaryEntityName": "none",
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": NO_ONE,
        "UserId": seller,
    }
    assert {name: context[name] for name in fixed} == fixed
    assert re.fullmatch(r"/Date\(\d{13}\+0000\)/", context["OperationCreatedOn"])
    assert list(context["OwningExtension"]) == REFERENCE
    assert context["OwningExtension"]["LogicalName"] == "sdkmessageprocessingstep"
    assert [variable["key"] for variable in context["SharedVariables"]] == [
        "IsAutoTransact",
        "AcceptLang",
        "DefaultsAddedFlag",
        "ChangedEntityTypes",
    ]
    entity = pairs(context["InputParameters"])["Target"]
    assert list(entity) == ["__type", *ENTITY]
    assert entity["__type"] == f"Entity:{CONTRACTS}"
    values = target(context)
    assert list(values) == [
        "opportunityid",
        "name",
        "estimatedvalue",
        "estimatedclosedate",
        "description",
        "modifiedon",
        "modifiedby",
        "modifiedonbehalfby",
        "estimatedvalue_base",
        "exchangerate",
    ]
    assert values["name"] == "Phase 2"
    assert values["estimatedvalue"] == {"__type": f"Money:{CONTRACTS}", "Value": Decimal("125000.00")}
    assert values["estimatedclosedate"] == "/Date(1793318400000)/"
    assert values["description"] is None, "cleared, not absent"
    assert re.fullmatch(r"/Date\(\d{13}\)/", values["modifiedon"])
    assert list(values["modifiedby"]) == ["__type", *REFERENCE]
    assert values["modifiedby"]["Id"] == seller
    assert values["modifiedonbehalfby"] is None


def test_images_hold_what_was_registered_without_the_empty_columns(crm: Crm, deal: str) -> None:
    change(crm, deal, name="Phase 2", cosell_syncwithpartnercenter=True)
    (context,) = crm.contexts()
    post = pairs(context["PostEntityImages"])
    assert list(post) == ["AsynchronousStepPrimaryName"]
    assert list(post["AsynchronousStepPrimaryName"]) == ENTITY, "no __type in images"
    assert pairs(post["AsynchronousStepPrimaryName"]["Attributes"]) == {"name": "Phase 2", "opportunityid": deal}
    pre = pairs(context["PreEntityImages"])
    assert list(pre) == ["pre"]
    assert pairs(pre["pre"]["Attributes"]) == {
        "cosell_referralidentifier": "ref-1",
        "cosell_syncwithpartnercenter": False,
        "opportunityid": deal,
    }
    crm.purge()
    crm.seller("PATCH", f"/opportunities({deal})", {"cosell_referralidentifier": None, "name": "Phase 3"})
    (context,) = crm.contexts()
    assert "cosell_referralidentifier" in pairs(pairs(context["PreEntityImages"])["pre"]["Attributes"])
    crm.purge()
    change(crm, deal, name="Phase 4")
    (context,) = crm.contexts()
    assert "cosell_referralidentifier" not in pairs(pairs(context["PreEntityImages"])["pre"]["Attributes"])


def test_the_envelope(crm: Crm, deal: str) -> None:
    change(crm, deal, name="Phase 2")
    (message,) = crm.messages()
    assert message["content_type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f]{32}", message["message_id"])
    assert message["application_properties"] == {
        f"{CLAIMS}Organization": f"{crm.layout.dataverse_url}/",
        f"{CLAIMS}User": crm.layout.seller_user_id,
        f"{CLAIMS}InitiatingUser": crm.layout.seller_user_id,
        f"{CLAIMS}InitiatingUserAgent": "Mozilla/5.0 (X11)",
        f"{CLAIMS}EntityLogicalName": "opportunity",
        f"{CLAIMS}RequestName": "Update",
    }
    assert [message[name] for name in ("subject", "to", "reply_to")] == [None, None, None]


def test_the_text_on_the_wire_is_escaped_as_dotnet_does(crm: Crm, deal: str) -> None:
    change(crm, deal, name='a/b "c" \\ line\nend ü', estimatedvalue=1)
    (message,) = crm.messages()
    wire = message["body"]
    assert r'{"key":"name","value":"a\/b \"c\" \\ line\u000aend ü"}' in wire
    assert r'{"__type":"Money:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Value":1.00}' in wire
    assert re.search(r'"value":"\\/Date\(\d+\)\\/"', wire)


def test_a_create_carries_defaults_and_formatted_values(crm: Crm) -> None:
    row_id = crm.opportunity("seller", name="New", estimatedvalue=5, cosell_dealtype=100000001)
    (context,) = crm.contexts()
    assert context["MessageName"] == "Create"
    assert context["OutputParameters"] == [{"key": "id", "value": row_id}]
    assert context["PreEntityImages"] == []
    values = target(context)
    expected = {"createdon", "createdby", "modifiedon", "modifiedby", "ownerid", "owningbusinessunit", "statecode"}
    expected |= {"statuscode", "transactioncurrencyid", "exchangerate", "estimatedvalue_base", "opportunityid"}
    assert expected <= set(values)
    assert values["statecode"] == {"__type": f"OptionSetValue:{CONTRACTS}", "Value": 0}
    texts = pairs(pairs(context["InputParameters"])["Target"]["FormattedValues"])
    assert (texts["cosell_dealtype"], texts["estimatedvalue"]) == ("Partner-led", "$5.00")


def test_a_delete_carries_a_reference_and_the_pre_image(crm: Crm, deal: str) -> None:
    parent = {"cosell_OpportunityId@odata.bind": f"/opportunities({deal})"}
    solution = crm.create("cosell_microsoftsolutions", cosell_solutionid="SOL-1", **parent)
    crm.purge()
    crm.seller("DELETE", f"/opportunities({deal})")
    (context,) = crm.contexts()
    assert (context["MessageName"], context["PrimaryEntityId"]) == ("Delete", deal)
    reference = pairs(context["InputParameters"])["Target"]
    assert list(reference) == ["__type", *REFERENCE]
    assert pairs(pairs(context["PreEntityImages"])["pre"]["Attributes"])["cosell_referralidentifier"] == "ref-1"
    (child,) = crm.contexts(SOLUTION_QUEUE)
    assert (child["MessageName"], child["PrimaryEntityId"]) == ("Delete", solution)
    parent_value = pairs(pairs(child["PreEntityImages"])["pre"]["Attributes"])["cosell_opportunityid"]
    assert parent_value["Id"] == deal


def test_state_and_other_columns_are_two_updates_of_one_operation(crm: Crm, deal: str) -> None:
    change(crm, deal, statuscode=2, name="On hold")
    first, second = crm.contexts()
    contents = {frozenset(target(context)) & {"name", "statecode", "statuscode"} for context in (first, second)}
    assert contents == {frozenset({"name"}), frozenset({"statecode", "statuscode"})}
    assert first["CorrelationId"] == second["CorrelationId"]
    assert first["OperationId"] != second["OperationId"]


def win(crm: Crm, row_id: str) -> None:
    closing = {"actualrevenue": 10, "opportunityid@odata.bind": f"/opportunities({row_id})"}
    assert crm.seller("POST", "/WinOpportunity", {"Status": 3, "OpportunityClose": closing}).status_code == 204


def test_winning_is_a_state_only_update(crm: Crm, deal: str) -> None:
    win(crm, deal)
    (context,) = crm.contexts()
    values = target(context)
    assert set(values) == {"opportunityid", "statecode", "statuscode", "modifiedon", "modifiedby", "modifiedonbehalfby"}
    assert (values["statecode"]["Value"], values["statuscode"]["Value"]) == (1, 3)


def test_a_second_update_with_the_actual_values_is_a_switch(crm: Crm, deal: str) -> None:
    step = update_step(crm)
    crm.seller("PATCH", step, {"filteringattributes": "statecode,actualvalue"})
    crm.sim("PUT", "/events", {"close_values": True})
    win(crm, deal)
    first, second = crm.contexts()
    assert ("actualvalue" in target(first), "actualvalue" in target(second)) == (False, True)
    assert first["CorrelationId"] == second["CorrelationId"]


def update_step(crm: Crm) -> str:
    """The address of the step for updates of opportunities."""
    names = "sdkmessageid($select=name),sdkmessagefilterid($select=primaryobjecttypecode)"
    for row in crm.get(f"/sdkmessageprocessingsteps?$expand={names}")["value"]:
        message, chosen = row["sdkmessageid"]["name"], row["sdkmessagefilterid"]["primaryobjecttypecode"]
        if (message, chosen) == ("Update", "opportunity"):
            return f"/sdkmessageprocessingsteps({row['sdkmessageprocessingstepid']})"
    raise LookupError("the step is missing")


def test_an_update_fires_by_the_columns_sent_not_by_the_columns_changed(crm: Crm, deal: str) -> None:
    change(crm, deal, name="Fabrikam cloud move")
    assert len(crm.contexts()) == 1, "sent with its old value"
    crm.purge()
    change(crm, deal, cosell_audit="line", cosell_syncstatus=100000002, closeprobability=5)
    assert crm.contexts() == [], "no filtered column was sent"


def test_a_disabled_step_is_silent_and_a_new_one_speaks(crm: Crm, deal: str) -> None:
    path = update_step(crm)
    assert crm.seller("PATCH", path, {"statecode": 1, "statuscode": 2}).status_code == 204
    change(crm, deal, name="Unheard")
    assert crm.contexts() == []
    crm.seller("PATCH", path, {"statecode": 0, "statuscode": 1, "filteringattributes": "closeprobability"})
    image = {"name": "post", "entityalias": "post", "imagetype": 1, "messagepropertyname": "Target"}
    bind = {"sdkmessageprocessingstepid@odata.bind": path, "attributes": "name,closeprobability"}
    crm.create("sdkmessageprocessingstepimages", "seller", **image, **bind)
    change(crm, deal, closeprobability=50)
    (context,) = crm.contexts()
    post = pairs(pairs(context["PostEntityImages"])["post"]["Attributes"])
    assert post == {"name": "Unheard", "closeprobability": 50, "opportunityid": deal}


def test_the_connectors_own_writes_name_it_and_carry_its_tag(crm: Crm, deal: str) -> None:
    for place in ("top", "parent", "both", "none"):
        crm.sim("PUT", "/events", {"tag": place})
        crm.purge()
        crm.api("PATCH", f"/opportunities({deal})?tag=cosell-sync", {"name": place}, If_Match="*")
        (context,) = crm.contexts()
        assert context["InitiatingUserId"] == crm.layout.app_user_id
        top = pairs(context["SharedVariables"]).get("tag")
        parent = pairs((context["ParentContext"] or {"SharedVariables": []})["SharedVariables"]).get("tag")
        assert (top == "cosell-sync", parent == "cosell-sync") == (
            place in ("top", "both"),
            place in ("parent", "both"),
        )


def test_a_parent_context_is_the_outer_stage_with_what_the_caller_sent(crm: Crm, deal: str) -> None:
    crm.sim("PUT", "/events", {"parent_context": True})
    change(crm, deal, name="Nested")
    (context,) = crm.contexts()
    parent = context["ParentContext"]
    assert (parent["Stage"], parent["OperationId"], parent["ParentContext"]) == (30, NO_ONE, None)
    assert list(target(parent)) == ["opportunityid", "name"]


@pytest.mark.parametrize(
    ("switches", "key", "members"),
    [
        ({}, "MessageMaxSizeExceeded", "absent"),
        ({"oversize_key": "prefixed", "oversize_members": "null"}, f"{CLAIMS}MessageMaxSizeExceeded", None),
        ({"oversize_members": "empty"}, "MessageMaxSizeExceeded", []),
    ],
)
def test_a_message_beyond_192_kilobytes_is_reduced(
    crm: Crm, deal: str, switches: JSON, key: str, members: object
) -> None:
    crm.sim("PUT", "/events", switches)
    change(crm, deal, cosell_syncstate="x" * 250_000, name="Large")
    (message,) = crm.messages()
    context = message["context"]
    assert key in message["application_properties"]
    assert (context["PrimaryEntityId"], context["MessageName"]) == (deal, "Update")
    for member in ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"):
        assert context.get(member, "absent") == members
    assert "SharedVariables" in context
    assert len(message["body"].encode()) < 192 * 1024


def test_duplicates_have_one_operation_and_two_message_ids(crm: Crm, deal: str) -> None:
    crm.sim("PUT", "/events", {"mode": "duplicate"})
    change(crm, deal, name="Twice")
    first, second = crm.messages()
    assert first["context"]["OperationId"] == second["context"]["OperationId"]
    assert first["message_id"] != second["message_id"]


def test_dropped_stopped_and_delayed_messages(crm: Crm, deal: str) -> None:
    crm.sim("PUT", "/events", {"mode": "drop"})
    change(crm, deal, name="Lost")
    assert crm.contexts() == []
    crm.sim("PUT", "/events", {"mode": "stopped"})
    change(crm, deal, name="Waiting")
    stopped = crm.sim("GET", "/idle")
    assert (stopped["idle"], stopped["pending"]) == (True, 1)
    assert stopped["queues"] == {"dynamics-365-opportunities": 1}
    (job,) = crm.get("/asyncoperations?$filter=statuscode ne 30")["value"]
    assert crm.arrived() == []
    crm.sim("PUT", "/events", {"mode": "normal"})
    (context,) = crm.contexts()
    assert context["OperationId"] == job["asyncoperationid"]
    crm.purge()
    crm.sim("PUT", "/events", {"delay_s": 0.3})
    change(crm, deal, name="Late")
    assert crm.arrived() == []
    assert len(crm.contexts()) == 1


def test_reordering_lets_messages_overtake_but_loses_none(crm: Crm, deal: str) -> None:
    crm.sim("PUT", "/events", {"mode": "reorder"})
    for number in range(8):
        change(crm, deal, name=f"Edit {number}")
    names = [target(context)["name"] for context in crm.contexts()]
    assert sorted(names) == [f"Edit {number}" for number in range(8)]
    assert names != sorted(names)


def test_users_are_left_out_when_the_endpoint_claims_none(crm: Crm, deal: str) -> None:
    (endpoint,) = crm.get("/serviceendpoints?$filter=path eq 'dynamics-365-opportunities'")["value"]
    assert "saskey" not in endpoint
    assert endpoint["issaskeyset"] is True
    crm.seller("PATCH", f"/serviceendpoints({endpoint['serviceendpointid']})", {"userclaim": 1})
    change(crm, deal, name="Anonymous")
    (message,) = crm.messages()
    assert not [name for name in message["application_properties"] if name.endswith("User")]


def test_shapes_of_older_and_newer_environments(crm: Crm, deal: str) -> None:
    crm.sim("PUT", "/events", {"old_shape": True, "date_offset": True})
    change(crm, deal, estimatedclosedate="2026-10-30")
    (context,) = crm.contexts()
    assert "InitiatingUserAgent" not in context
    assert target(context)["estimatedclosedate"] == "/Date(1793318400000+0000)/"
    crm.purge()
    crm.sim("PUT", "/events", {"old_shape": False, "unknown_members": True})
    change(crm, deal, name="New")
    (context,) = crm.contexts()
    assert {"AuthenticatedUserId", "IsPortalsClientCall"} <= set(context)


def test_solutions_accounts_and_leads_have_steps_of_their_own(crm: Crm, deal: str) -> None:
    account = crm.create("accounts", name="Fabrikam")
    lead = crm.create("leads", subject="S", lastname="Doe")
    parent = {"cosell_OpportunityId@odata.bind": f"/opportunities({deal})"}
    solution = crm.create("cosell_microsoftsolutions", cosell_solutionid="SOL-1", **parent)
    crm.api("PATCH", f"/accounts({account})", {"address1_city": "Oslo"})
    crm.api("PATCH", f"/accounts({account})", {"fax": "1"})
    crm.api("PATCH", f"/leads({lead})", {"statuscode": 2})
    seen = [
        (context["PrimaryEntityName"], context["MessageName"], context["PrimaryEntityId"]) for context in crm.contexts()
    ]
    assert sorted(seen) == [("account", "Update", account), ("lead", "Update", lead)]
    (context,) = crm.contexts(SOLUTION_QUEUE)
    assert (context["PrimaryEntityId"], target(context)["cosell_opportunityid"]["Id"]) == (solution, deal)


def test_one_request_one_correlation(crm: Crm, deal: str) -> None:
    request_id = str(uuid.uuid4())
    crm.api("PATCH", f"/opportunities({deal})", {"name": "A"}, x_ms_client_request_id=request_id)
    crm.api("PATCH", f"/opportunities({deal})", {"name": "B"})
    first, second = crm.contexts()
    assert first["RequestId"] == request_id
    assert first["CorrelationId"] != second["CorrelationId"]


def test_a_refused_write_sends_nothing(crm: Crm, deal: str) -> None:
    crm.opportunity(cosell_referralidentifier="ref-2")
    crm.purge()
    assert crm.api("PATCH", f"/opportunities({deal})", {"name": "x"}, If_Match='W/"1"').status_code == 412
    both = {"name": "x", "cosell_referralidentifier": "ref-2"}
    assert crm.api("PATCH", f"/opportunities({deal})", both).status_code == 412
    half = {"name": "x", "statecode": 1, "statuscode": 3}
    assert crm.api("PATCH", f"/opportunities({deal})", half).status_code == 400
    assert crm.contexts() == []
    assert crm.get(f"/opportunities({deal})")["name"] == "Fabrikam cloud move"


def test_broker_and_environment_survive_being_killed(crm: Crm, deal: str) -> None:
    """What was answered is kept, and its message arrives although first nobody could take it."""
    crm.broker.kill()
    crm.broker.wait()
    change(crm, deal, name="While the broker was gone")
    version = crm.get(f"/opportunities({deal})")["versionnumber"]
    assert crm.sim("GET", "/idle")["pending"] == 1
    until(lambda: [job["statuscode"] for job in crm.get("/asyncoperations")["value"]] == [10])
    crm.dataverse.kill()
    crm.dataverse.wait()
    crm.dataverse.start()
    crm.dataverse.wait_ready()
    row = crm.get(f"/opportunities({deal})")
    assert (row["name"], row["versionnumber"]) == ("While the broker was gone", version)
    assert crm.sim("GET", "/idle")["pending"] == 1
    crm.broker.start()
    crm.broker.wait_ready()
    (context,) = crm.contexts()
    assert target(context)["name"] == "While the broker was gone"
    crm.api("PATCH", f"/opportunities({deal})", {"name": "After"})
    assert crm.get(f"/opportunities({deal})")["versionnumber"] > version
    assert len(crm.contexts()) == 2


def test_what_a_reset_throws_away_does_not_arrive_after_it(crm: Crm) -> None:
    for number in range(30):
        crm.opportunity("seller", name=f"Deal {number}")
    crm.sim("POST", "/reset")
    crm.purge()
    crm.opportunity("seller", name="After")  # sent last: what was still on its way would lie before it
    assert [target(context)["name"] for context in crm.contexts()] == ["After"]
