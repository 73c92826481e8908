"""Solution membership: which components a solution has, by header or by `AddSolutionComponent`.

Members are rows of `solutioncomponent`, so they can be queried as in Dataverse. Repeating a membership is harmless.
"""

from __future__ import annotations

from sandbox.dataverse import errors, seed
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.metadata_reader import members
from sandbox.dataverse.schema import stable_id
from sandbox.dataverse.store import Ref
from sandbox.dataverse.wire import ApiRequest, ApiResponse
from sandbox.tokens import Refusal

HEADER = "mscrm.solutionuniquename"
TABLE, COLUMN, RELATIONSHIP, CHOICE, KEY = 1, 2, 3, 9, 14
ROW_TYPES = {
    "role": 20,
    "sdkmessageprocessingstep": 92,
    "sdkmessageprocessingstepimage": 93,
    "serviceendpoint": 95,
    "environmentvariabledefinition": 380,
    "environmentvariablevalue": 381,
}
"""Component types of the rows that can be members."""


def named(env: Environment, request: ApiRequest) -> str | None:
    """Id of the solution that the request's header names; 404 when it does not exist."""
    name = request.headers.get(HEADER)
    return _find(env, name) if name else None


def join(env: Environment, solution_id: str | None, component_id: str, component_type: int) -> None:
    """Make a component a member, unless no solution was named; within a transaction only."""
    if solution_id is None:
        return
    values = {
        "objectid": component_id,
        "componenttype": component_type,
        "solutionid": Ref("solution", solution_id),
    }
    seed.add(env, "solutioncomponent", stable_id("solutioncomponent", solution_id, component_id), values)


def add_component(env: Environment, request: ApiRequest) -> ApiResponse:
    """`AddSolutionComponent`."""
    body = members(request.json(), "ComponentId", "ComponentType", "SolutionUniqueName")
    component_id = str(body["ComponentId"]).lower()
    with env.store.transaction():
        join(env, _find(env, str(body["SolutionUniqueName"])), component_id, int(body["ComponentType"]))
    where = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.AddSolutionComponentResponse"
    return ApiResponse(200, {"@odata.context": where, "id": component_id})


def _find(env: Environment, name: str) -> str:
    for solution_id, row in env.store.all("solution").items():
        if row.get("uniquename") == name:
            return solution_id
    raise Refusal(404, errors.NOT_FOUND, f"The solution '{name}' does not exist.")
