"""Messages as Dataverse posts them to Service Bus (RemoteExecutionContext), rebuilt with invented data."""

from __future__ import annotations

import copy
import json
from typing import Any

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
ROW_ID = "3c9e1f60-7b47-4111-bec6-000d3a5b7c21"
USER_ID = "44c7d9b2-1e3a-4011-877b-6045bd0a1e55"
OPERATION_ID = "e5b7f3a2-7d47-4111-bec6-000d3a5b7c21"
STEP_ID = "d7a81e3b-6a47-4111-bec6-000d3a5b7c21"
NOBODY = "00000000-0000-0000-0000-000000000000"

type Json = dict[str, Any]


def option(value: int) -> Json:
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def money(value: float) -> Json:
    return {"__type": f"Money:{CONTRACTS}", "Value": value}


def reference(table: str, row_id: str, *, typed: bool = True) -> Json:
    kind = {"__type": f"EntityReference:{CONTRACTS}"} if typed else {}
    return {**kind, "Id": row_id, "KeyAttributes": [], "LogicalName": table, "Name": None, "RowVersion": None}


def entity(attributes: Json, *, typed: bool = True) -> Json:
    kind = {"__type": f"Entity:{CONTRACTS}"} if typed else {}
    pairs = [{"key": name, "value": value} for name, value in attributes.items()]
    return {
        **kind, "Attributes": pairs, "EntityState": None, "FormattedValues": [], "Id": ROW_ID, "KeyAttributes": [],
        "LogicalName": "opportunity", "RelatedEntities": [], "RowVersion": None,
    }  # fmt: skip


UPDATE: Json = {
    "BusinessUnitId": "0b6f2c18-0c3a-4011-877b-6045bd0a1e55",
    "CorrelationId": "7f0a2d5c-90c7-4f0e-8d43-5a1b7b9d2e10",
    "Depth": 1,
    "InitiatingUserAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "InitiatingUserAzureActiveDirectoryObjectId": NOBODY,
    "InitiatingUserId": USER_ID.upper(),
    "InputParameters": [
        {
            "key": "Target",
            "value": entity(
                {
                    "opportunityid": ROW_ID,
                    "name": "Fabrikam cloud move, phase 2",
                    "estimatedvalue": money(125000.00),
                    "estimatedclosedate": "/Date(1793318400000)/",
                    "description": None,
                    "cosell_syncwithpartnercenter": True,
                    "cosell_syncstatus": option(100000001),
                    "cosell_solutionareas": [option(727000000), option(727000003)],
                    "modifiedon": "/Date(1777886126000)/",
                    "modifiedby": reference("systemuser", USER_ID),
                    "modifiedonbehalfby": None,
                    "exchangerate": 1.0,
                    "attempts": {"__type": "Int32:#System", "__value": 2},
                }
            ),
        }
    ],
    "IsExecutingOffline": False,
    "IsInTransaction": False,
    "IsOfflinePlayback": False,
    "IsolationMode": 1,
    "MessageName": "Update",
    "Mode": 1,
    "OperationCreatedOn": "/Date(1777886127000+0000)/",
    "OperationId": OPERATION_ID,
    "OrganizationId": "5F0D9C3E-2A41-4B6E-9C1D-8A7B6C5D4E3F",
    "OrganizationName": "unq5f0d9c3e2a414b6e9c1d8a7b6c5d4",
    "OutputParameters": [],
    "OwningExtension": reference("sdkmessageprocessingstep", STEP_ID, typed=False),
    "ParentContext": None,
    "PostEntityImages": [
        {"key": "AsynchronousStepPrimaryName", "value": entity({"name": "Fabrikam cloud move, phase 2"}, typed=False)}
    ],
    "PreEntityImages": [
        {
            "key": "pre",
            "value": entity(
                {"name": "Fabrikam cloud move", "description": "Old text", "statecode": option(0)}, typed=False
            ),
        }
    ],
    "PrimaryEntityId": ROW_ID,
    "PrimaryEntityName": "Opportunity",
    "RequestId": None,
    "SecondaryEntityName": "none",
    "SharedVariables": [
        {"key": "IsAutoTransact", "value": True},
        {"key": "ChangedEntityTypes", "value": [{"__type": "KeyValuePairOfstringstring:#System.Collections.Generic",
                                                  "key": "opportunity", "value": "Update"}]},
    ],
    "Stage": 40,
    "UserAzureActiveDirectoryObjectId": NOBODY,
    "UserId": USER_ID,
}  # fmt: skip
"""A seller's update with a pre-image, all members in the vendor's order."""

DELETE: Json = {
    **UPDATE,
    "MessageName": "Delete",
    "InputParameters": [{"key": "Target", "value": reference("opportunity", ROW_ID)}],
    "PostEntityImages": [],
    "PreEntityImages": [{"key": "pre", "value": entity({"cosell_referralidentifier": "c0a1b2c3"}, typed=False)}],
}


def body(message: Json, *, without: tuple[str, ...] = (), **changes: Any) -> bytes:
    """The message as bytes on the wire, with escaped slashes as .NET writes them."""
    made = {name: value for name, value in copy.deepcopy(message).items() if name not in without} | changes
    return json.dumps(made, ensure_ascii=False).replace("/", "\\/").encode()
