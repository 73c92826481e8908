"""Metadata of the simulated environment: what an installer reads, and what it leaves when it has written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.dataverse_fixture import JSON, Crm

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("dataverse")]

CRM = "Microsoft.Dynamics.CRM."
OPPORTUNITY = "/EntityDefinitions(LogicalName='opportunity')"


def label(text: str) -> JSON:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def text_column(schema_name: str, **more: object) -> JSON:
    kind = {"@odata.type": f"{CRM}StringAttributeMetadata", "AttributeType": "String", "FormatName": {"Value": "Text"}}
    return {**kind, "SchemaName": schema_name, "MaxLength": 50, "DisplayName": label(schema_name), **more}


def choice_column(schema_name: str, kind: str = "Picklist", **more: object) -> JSON:
    options = [{"Value": 727000000, "Label": label("One")}, {"Value": 727000001, "Label": label("Two")}]
    return {
        "@odata.type": f"{CRM}{kind}AttributeMetadata",
        "SchemaName": schema_name,
        "DisplayName": label(schema_name),
        "OptionSet": {"@odata.type": f"{CRM}OptionSetMetadata", "IsGlobal": False, "Options": options},
        **more,
    }


def make(crm: Crm, path: str, body: JSON, **headers: str) -> None:
    answer = crm.api("POST", path, body, **headers)
    assert answer.status_code == 204, answer.text
    assert answer.headers["OData-EntityId"].startswith(crm.layout.dataverse_url)


def test_a_table_is_described(crm: Crm) -> None:
    wanted = "MetadataId,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,ChangeTrackingEnabled"
    table = crm.get(f"{OPPORTUNITY}?$select={wanted},IsOptimisticConcurrencyEnabled")
    assert (table["EntitySetName"], table["PrimaryIdAttribute"]) == ("opportunities", "opportunityid")
    assert table["ChangeTrackingEnabled"] is table["IsOptimisticConcurrencyEnabled"] is True
    assert "SchemaName" not in table
    missing = crm.api("GET", "/EntityDefinitions(LogicalName='nothere')")
    assert missing.status_code == 404
    listed = crm.get("/EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'account' or LogicalName eq 'lead'")
    assert {item["LogicalName"] for item in listed["value"]} == {"account", "lead"}


def test_columns_with_their_own_members_behind_casts(crm: Crm) -> None:
    one = crm.get(f"{OPPORTUNITY}/Attributes(LogicalName='name')?$select=LogicalName,AttributeType,SchemaName")
    assert (one["AttributeType"], one["@odata.type"]) == ("String", f"#{CRM}StringAttributeMetadata")
    answer = crm.api("GET", f"{OPPORTUNITY}/Attributes(LogicalName='name')?$select=MaxLength")
    assert crm.refused(answer) == (400, "0x80060888")
    cast = f"{OPPORTUNITY}/Attributes(LogicalName='name')/{CRM}StringAttributeMetadata?$select=MaxLength"
    assert crm.get(cast)["MaxLength"] == 300
    assert crm.api("GET", f"{OPPORTUNITY}/Attributes(LogicalName='nothere')").status_code == 404
    wrong = f"{OPPORTUNITY}/Attributes(LogicalName='name')/{CRM}PicklistAttributeMetadata"
    assert crm.api("GET", wrong).status_code == 404
    memos = crm.get(f"{OPPORTUNITY}/Attributes/{CRM}MemoAttributeMetadata?$select=LogicalName,MaxLength")["value"]
    assert {item["LogicalName"]: item["MaxLength"] for item in memos}["cosell_audit"] == 100000
    kinds = crm.get(f"{OPPORTUNITY}/Attributes?$select=LogicalName,AttributeType")["value"]
    found = {item["LogicalName"]: item["AttributeType"] for item in kinds}
    expected = {"customerid": "Customer", "ownerid": "Owner", "statecode": "State", "statuscode": "Status"}
    expected |= {"estimatedvalue": "Money", "opportunityid": "Uniqueidentifier", "parentaccountid": "Lookup"}
    assert {name: found[name] for name in expected} == expected


def test_choices_and_status_reasons_with_their_state(crm: Crm) -> None:
    path = f"{OPPORTUNITY}/Attributes(LogicalName='statuscode')/{CRM}StatusAttributeMetadata"
    options = crm.get(f"{path}?$select=LogicalName&$expand=OptionSet")["OptionSet"]["Options"]
    assert {(item["Value"], item["State"]) for item in options} == {(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)}
    path = f"{OPPORTUNITY}/Attributes(LogicalName='cosell_dealtype')/{CRM}PicklistAttributeMetadata"
    found = crm.get(f"{path}?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Name)")
    labels = {item["Value"]: item["Label"]["UserLocalizedLabel"]["Label"] for item in found["OptionSet"]["Options"]}
    assert labels[100000002] == "Co-sell"
    assert found["GlobalOptionSet"] is None


def test_keys_and_relationships_of_the_connector(crm: Crm) -> None:
    keys = crm.get(f"{OPPORTUNITY}/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus")["value"]
    assert [(k["SchemaName"], k["KeyAttributes"], k["EntityKeyIndexStatus"]) for k in keys] == [
        ("cosell_ReferralKey", ["cosell_referralidentifier"], "Active")
    ]
    path = "/RelationshipDefinitions?$filter=SchemaName eq 'cosell_opportunity_microsoftsolution'"
    (found,) = crm.get(path)["value"]
    assert found["ReferencingEntityNavigationPropertyName"] == "cosell_OpportunityId"
    assert found["CascadeConfiguration"]["Delete"] == "Cascade"


def test_a_new_column_can_be_written_read_and_named_by_steps(crm: Crm) -> None:
    crm.create("publishers", uniquename="fabrikam", customizationprefix="fab", customizationoptionvalueprefix=72700)
    crm.create("solutions", uniquename="Fab", version="1.0.0.0")
    answer = crm.api(
        "POST", f"{OPPORTUNITY}/Attributes", text_column("fab_Code"), **{"MSCRM.SolutionUniqueName": "Fab"}
    )
    assert answer.status_code == 204
    assert crm.api("POST", "/PublishXml", {"ParameterXml": "<importexportxml/>"}).status_code == 204
    row_id = crm.opportunity(fab_code="x" * 50)
    assert crm.get(f"/opportunities({row_id})?$select=fab_code")["fab_code"] == "x" * 50
    assert crm.refused(crm.api("POST", "/opportunities", {"fab_code": "x" * 51})) == (400, "0x80044331")
    again = crm.api("POST", f"{OPPORTUNITY}/Attributes", text_column("fab_Code"))
    assert crm.refused(again) == (400, "0x80047013")
    (member,) = crm.get("/solutioncomponents?$filter=componenttype eq 2")["value"]
    column = crm.get(f"{OPPORTUNITY}/Attributes(LogicalName='fab_code')?$select=MetadataId")
    assert member["objectid"] == column["MetadataId"]


@pytest.mark.parametrize(
    ("document", "good", "bad"),
    [
        (choice_column("fab_Kind"), 727000001, 5),
        (choice_column("fab_Areas", "MultiSelectPicklist"), "727000000,727000001", "5"),
        (
            {"@odata.type": f"{CRM}BooleanAttributeMetadata", "SchemaName": "fab_Flag", "DefaultValue": True},
            False,
            "no",
        ),
        ({"@odata.type": f"{CRM}IntegerAttributeMetadata", "SchemaName": "fab_N", "MinValue": 0, "MaxValue": 9}, 9, 10),
        ({"@odata.type": f"{CRM}MoneyAttributeMetadata", "SchemaName": "fab_Worth", "MinValue": 0}, 12.5, -1),
        (
            {"@odata.type": f"{CRM}DateTimeAttributeMetadata", "SchemaName": "fab_Day", "Format": "DateOnly"},
            "2026-10-30",
            "2026-10-30T00:00:00Z",
        ),
        (
            {"@odata.type": f"{CRM}MemoAttributeMetadata", "SchemaName": "fab_Text", "MaxLength": 9},
            "123456789",
            "1234567890",
        ),
    ],
    ids=lambda value: value["SchemaName"] if isinstance(value, dict) else None,
)
def test_every_type_of_column_checks_its_values(crm: Crm, document: JSON, good: Any, bad: Any) -> None:
    make(crm, f"{OPPORTUNITY}/Attributes", {"DisplayName": label("x"), **document})
    name = document["SchemaName"].lower()
    row_id = crm.create("opportunities", **{name: good})
    assert crm.get(f"/opportunities({row_id})?$select={name}")[name] == good
    assert crm.api("POST", "/opportunities", {name: bad}).status_code == 400


def test_a_new_table_with_a_lookup_and_a_key(crm: Crm) -> None:
    crm.sim("POST", "/reset/bare")
    assert crm.api("GET", "/cosell_microsoftsolutions").status_code == 404, "nothing is installed"
    primary = text_column("cosell_Name", IsPrimaryName=True)
    table = {"DisplayName": label("Solution"), "DisplayCollectionName": label("Solutions"), "Attributes": [primary]}
    make(crm, "/EntityDefinitions", {"SchemaName": "cosell_MicrosoftSolution", "HasNotes": False, **table})
    definition = "/EntityDefinitions(LogicalName='cosell_microsoftsolution')"
    assert crm.get(f"{definition}?$select=EntitySetName")["EntitySetName"] == "cosell_microsoftsolutions"
    make(crm, f"{definition}/Attributes", text_column("cosell_SolutionId"))
    relationship = {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": "cosell_opportunity_microsoftsolution",
        "ReferencedEntity": "opportunity",
        "ReferencingEntity": "cosell_microsoftsolution",
        "CascadeConfiguration": {"Delete": "Cascade"},
        "Lookup": {"SchemaName": "cosell_OpportunityId", "DisplayName": label("Opportunity")},
    }
    make(crm, "/RelationshipDefinitions", relationship)
    key = {"SchemaName": "cosell_SolutionKey", "KeyAttributes": ["cosell_opportunityid", "cosell_solutionid"]}
    make(crm, f"{definition}/Keys", key)
    deal = crm.opportunity()
    values = {"cosell_name": "S", "cosell_solutionid": "SOL-1"}
    row_id = crm.create(
        "cosell_microsoftsolutions", **values, **{"cosell_OpportunityId@odata.bind": f"/opportunities({deal})"}
    )
    found = crm.get(f"/cosell_microsoftsolutions(_cosell_opportunityid_value={deal},cosell_solutionid='sol-1')")
    assert found["cosell_microsoftsolutionid"] == row_id
    expanded = crm.get(f"/opportunities({deal})?$expand=cosell_opportunity_microsoftsolution($select=cosell_name)")
    assert len(expanded["cosell_opportunity_microsoftsolution"]) == 1
    crm.api("DELETE", f"/opportunities({deal})")
    assert crm.get("/cosell_microsoftsolutions")["value"] == []


def test_a_key_is_pending_until_its_index_is_built(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"key_activation_s": 60})
    account = crm.create("accounts", name="Fabrikam", accountnumber="F-1")
    definition = "/EntityDefinitions(LogicalName='account')/Keys"
    make(crm, definition, {"SchemaName": "cosell_NumberKey", "KeyAttributes": ["accountnumber"]})
    path = "/accounts(accountnumber='f-1')"
    status = f"{definition}?$select=EntityKeyIndexStatus"
    assert crm.get(status)["value"][0]["EntityKeyIndexStatus"] == "Pending"
    assert crm.refused(crm.api("GET", path)) == (400, "0x80060888")
    crm.sim("POST", "/clock", {"advance_s": 61})
    assert crm.get(status)["value"][0]["EntityKeyIndexStatus"] == "Active"
    assert crm.get(path)["accountid"] == account
    (key,) = crm.get(definition)["value"]
    assert crm.api("DELETE", f"{definition}({key['MetadataId']})").status_code == 204
    assert crm.api("GET", path).status_code == 400


def test_a_key_fails_on_duplicates_and_can_be_reactivated(crm: Crm) -> None:
    first, _ = (
        crm.create("accounts", name="A", accountnumber="F-1"),
        crm.create("accounts", name="B", accountnumber="f-1"),
    )
    definition = "/EntityDefinitions(LogicalName='account')/Keys"
    make(crm, definition, {"SchemaName": "cosell_NumberKey", "KeyAttributes": ["accountnumber"]})
    assert crm.get(definition)["value"][0]["EntityKeyIndexStatus"] == "Failed"
    crm.api("DELETE", f"/accounts({first})")
    body = {"EntityLogicalName": "account", "EntityKeyLogicalName": "cosell_numberkey"}
    assert crm.api("POST", "/ReactivateEntityKey", body).status_code == 204
    assert crm.get(definition)["value"][0]["EntityKeyIndexStatus"] == "Active"


def test_a_new_column_takes_a_while_to_be_known_to_the_data(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"column_visible_s": 20})
    make(crm, f"{OPPORTUNITY}/Attributes", text_column("fab_Late"))
    assert crm.api("GET", "/opportunities?$top=1&$select=fab_late").status_code == 400
    assert crm.refused(crm.api("POST", "/opportunities", {"fab_late": "x"})) == (400, "0x80048d19")
    crm.sim("POST", "/clock", {"advance_s": 21})
    assert crm.api("GET", "/opportunities?$top=1&$select=fab_late").status_code == 200


def test_one_customisation_at_a_time(crm: Crm) -> None:
    crm.sim("PUT", "/switches", {"customization_busy": 1})
    answer = crm.api("POST", f"{OPPORTUNITY}/Attributes", text_column("fab_Code"))
    assert crm.refused(answer) == (503, "0x80071151")
    make(crm, f"{OPPORTUNITY}/Attributes", text_column("fab_Code"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{OPPORTUNITY}/Attributes", text_column("NoPrefix")),
        (f"{OPPORTUNITY}/Attributes", text_column("fab_Long", MaxLength=5000)),
        (f"{OPPORTUNITY}/Attributes", {"@odata.type": f"{CRM}LookupAttributeMetadata", "SchemaName": "fab_L"}),
        (f"{OPPORTUNITY}/Keys", {"SchemaName": "fab_K", "KeyAttributes": ["description"]}),
        (f"{OPPORTUNITY}/Keys", {"SchemaName": "fab_K", "KeyAttributes": []}),
        ("/EntityDefinitions", {"SchemaName": "fab_T"}),
    ],
)
def test_definitions_that_are_refused(crm: Crm, path: str, body: JSON) -> None:
    assert crm.api("POST", path, body).status_code == 400


def test_a_refused_definition_leaves_no_trace(crm: Crm) -> None:
    answer = crm.api(
        "POST", f"{OPPORTUNITY}/Attributes", text_column("fab_Code"), **{"MSCRM.SolutionUniqueName": "None"}
    )
    assert answer.status_code == 404
    assert crm.api("GET", f"{OPPORTUNITY}/Attributes(LogicalName='fab_code')").status_code == 404
    assert crm.api("PATCH", OPPORTUNITY, {"DisplayName": label("x")}).status_code == 405


def test_updating_a_definition_takes_the_whole_of_it(crm: Crm) -> None:
    make(crm, f"{OPPORTUNITY}/Attributes", text_column("fab_Code"))
    path = f"{OPPORTUNITY}/Attributes(LogicalName='fab_code')"
    wider = text_column("fab_Code", MaxLength=80)
    assert crm.api("PUT", path, wider, **{"MSCRM.MergeLabels": "true"}).status_code == 204
    assert crm.get(f"{path}/{CRM}StringAttributeMetadata?$select=MaxLength")["MaxLength"] == 80
    assert crm.api("PUT", path, choice_column("fab_Code")).status_code == 400, "the type stays"
    more = {"EntityLogicalName": "opportunity", "AttributeLogicalName": "cosell_dealtype", "Value": 100000009}
    assert crm.api("POST", "/InsertOptionValue", {**more, "Label": label("New")}).status_code == 200
    assert crm.opportunity(cosell_dealtype=100000009)


def test_a_customers_own_status_reason_closes_a_deal(crm: Crm) -> None:
    reason = {"EntityLogicalName": "opportunity", "AttributeLogicalName": "statuscode", "Value": 727000100}
    body = {**reason, "StateCode": 1, "Label": label("Won with Microsoft")}
    assert crm.api("POST", "/InsertStatusValue", body).status_code == 200
    path = f"{OPPORTUNITY}/Attributes(LogicalName='statuscode')/{CRM}StatusAttributeMetadata?$expand=OptionSet"
    options = crm.get(path)["OptionSet"]["Options"]
    assert (727000100, 1) in {(option["Value"], option["State"]) for option in options}
    row_id = crm.opportunity()
    closing = {"opportunityid@odata.bind": f"/opportunities({row_id})"}
    assert crm.api("POST", "/WinOpportunity", {"Status": 727000100, "OpportunityClose": closing}).status_code == 204
    row = crm.get(f"/opportunities({row_id})")
    assert (row["statecode"], row["statuscode"]) == (1, 727000100)


def test_a_global_choice_serves_several_columns(crm: Crm) -> None:
    options = [{"Value": 727000000, "Label": label("Data and AI")}]
    choice = {"@odata.type": f"{CRM}OptionSetMetadata", "Name": "fab_area", "IsGlobal": True, "Options": options}
    make(crm, "/GlobalOptionSetDefinitions", choice)
    found = crm.get("/GlobalOptionSetDefinitions(Name='fab_area')")
    bind: JSON = {
        "GlobalOptionSet@odata.bind": f"/GlobalOptionSetDefinitions({found['MetadataId']})",
        "OptionSet": None,
    }
    make(crm, f"{OPPORTUNITY}/Attributes", choice_column("fab_Area", **bind))
    path = f"{OPPORTUNITY}/Attributes(LogicalName='fab_area')/{CRM}PicklistAttributeMetadata"
    assert crm.get(f"{path}?$expand=GlobalOptionSet($select=Name)")["GlobalOptionSet"]["Name"] == "fab_area"
    assert crm.opportunity(fab_area=727000000)


@pytest.mark.usefixtures("empty_queues")
def test_the_registration_of_steps_is_checked(crm: Crm) -> None:
    (endpoint,) = crm.get("/serviceendpoints?$filter=path eq 'dynamics-365-opportunities'")["value"]
    (message,) = crm.get("/sdkmessages?$select=sdkmessageid&$filter=name eq 'Create'")["value"]
    assert message["sdkmessageid"] == "9ebdbb1b-ea3e-db11-86a7-000a3a5473e8"
    condition = f"primaryobjecttypecode eq 'connection' and _sdkmessageid_value eq {message['sdkmessageid']}"
    (chosen,) = crm.get(f"/sdkmessagefilters?$filter={condition}")["value"]
    unknown = crm.api("GET", "/sdkmessagefilters?$filter=primaryobjecttypecode eq 'nothere'")
    assert crm.refused(unknown) == (400, "0x80041102")
    step: JSON = {
        "name": "Connections",
        "stage": 40,
        "mode": 1,
        "sdkmessageid@odata.bind": f"/sdkmessages({message['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({chosen['sdkmessagefilterid']})",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint['serviceendpointid']})",
    }
    assert crm.api("POST", "/sdkmessageprocessingsteps", {**step, "mode": 0}).status_code == 400
    assert crm.api("POST", "/sdkmessageprocessingsteps", {**step, "stage": 20}).status_code == 400
    wrong_case = {**step, "SdkMessageId@odata.bind": "/sdkmessages(x)"}
    assert crm.refused(crm.api("POST", "/sdkmessageprocessingsteps", wrong_case)) == (400, "0x80048d19")
    step_id = crm.create("sdkmessageprocessingsteps", **step)
    image: JSON = {
        "name": "post",
        "entityalias": "post",
        "imagetype": 1,
        "sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step_id})",
    }
    target = crm.api("POST", "/sdkmessageprocessingstepimages", {**image, "messagepropertyname": "Target"})
    assert crm.refused(target) == (400, "0x8004416b")
    crm.create("sdkmessageprocessingstepimages", **image, messagepropertyname="Id")
    crm.create("connections", name="c")
    (context,) = crm.contexts()
    assert (context["PrimaryEntityName"], context["MessageName"]) == ("connection", "Create")
    endpoint_path = f"/serviceendpoints({endpoint['serviceendpointid']})"
    assert crm.refused(crm.api("DELETE", endpoint_path)) == (405, "0x80040227")
    assert crm.api("DELETE", f"/sdkmessageprocessingsteps({step_id})").status_code == 204
    assert crm.get("/sdkmessageprocessingstepimages?$filter=name eq 'post'")["value"] == []


def test_a_new_definition_survives_a_kill(crm: Crm) -> None:
    make(crm, f"{OPPORTUNITY}/Attributes", text_column("fab_Code"))
    row_id = crm.opportunity(fab_code="kept")
    crm.dataverse.kill()
    crm.dataverse.wait()
    crm.dataverse.start()
    crm.dataverse.wait_ready()
    assert crm.get(f"/opportunities({row_id})?$select=fab_code")["fab_code"] == "kept"
