"""The stage, once for all tests: cluster, images, data plane, the operator from its own chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.cluster.provider import chosen
from e2e.demo.setting import Setting
from e2e.images.build import SUITE
from e2e.suite.place import Place


@pytest.fixture(scope="session")
def setting() -> Setting:
    """Everything that is there before the first model. It is left running."""
    found = Setting(chosen())
    found.cluster()
    found.images(SUITE)
    found.data_plane()
    found.operator()
    return found


@pytest.fixture
def place(setting: Setting, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace named after the test."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:30].strip("-")
    found = Place(setting.kubectl, setting.manifest, name)
    found.begin()
    yield found
    found.end()
