"""Every test of a contract runs twice: on the fake and on the real client against the sandbox's processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.cloud import Cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all of them on one worker, so that the processes are started once."""
    for item in items:
        if "tests/contract/" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("contract"))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The simulators; nothing runs until a test asks for a client."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AZURE_TENANT_ID", cloud.layout.tenant_id)
        environment.setenv("AZURE_CLIENT_ID", cloud.layout.app_client_id)
        environment.setenv("AZURE_CLIENT_SECRET", cloud.layout.app_client_secret)
        yield cloud
    cloud.stop()
