"""Acceptance: what the API server says of the objects that a spec would make."""

from __future__ import annotations

from typing import Any

import pytest

from merit.kube.errors import Forbidden
from tests.scenarios.scripts.steps import apply, live
from tests.world.merge import Object
from tests.world.world import World

UNKNOWN_YET = (
    "ValidatingAdmissionPolicy 'merit-operator-namespaces' with binding "
    "'merit-operator-namespaces' denied request: failed to configure binding: no params found for "
    "policy binding with `Deny` parameterNotFoundAction"
)


async def test_the_first_model_of_a_namespace_waits_a_moment_for_the_policy_to_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World((apply("good", live("good")),))
    create, refusals = world.server.create, [Forbidden(403, "Forbidden", UNKNOWN_YET)]

    async def late(obj: Object, **options: Any) -> Object:
        if options.get("dry_run") and refusals:
            raise refusals.pop()
        return await create(obj, **options)

    monkeypatch.setattr(world.server, "create", late)
    world.script[0].do(world)
    began = world.now
    await world.run(lambda w: bool(w.status.get("candidate")), 5.0, "accepted within seconds")
    assert not refusals and world.now - began < 5.0
