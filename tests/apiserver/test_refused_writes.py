"""An admission policy of somebody else refuses a write: reported in its words, and survived."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator

import pytest

from tests.apiserver.api import VERSIONS
from tests.apiserver.processes import eventually
from tests.apiserver.stage import Stage, canary, live, rolled_back, unblamed
from tests.world.pods import CRASH_LOOP

pytestmark = pytest.mark.apiserver
API = "admissionregistration.k8s.io/v1"
PLURALS = {"HTTPRoute": "httproutes", "Deployment": "deployments"}
SENTENCE = "frozen until Monday"


class ForbiddingPolicy:
    """An admission policy of somebody else in the stage's namespace."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._name = stage, stage.key.namespace

    async def forbid(self, kind: str) -> None:
        """From now on every create and update of that kind is refused; one object exists."""
        group = VERSIONS[kind].partition("/")[0]
        rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": [PLURALS[kind]]}
        here = {"kubernetes.io/metadata.name": self._name}
        policy = {
            "matchConstraints": {
                "resourceRules": [rule | {"operations": ["CREATE", "UPDATE"]}],
                "namespaceSelector": {"matchLabels": here},
            },
            "validations": [{"expression": "false", "message": SENTENCE}],
        }
        binding = {"policyName": self._name, "validationActions": ["Deny"]}
        for suffix, spec in (("", policy), ("Binding", binding)):
            made = {"apiVersion": API, "kind": f"ValidatingAdmissionPolicy{suffix}"}
            named = made | {"metadata": {"name": self._name}, "spec": spec}
            self._stage.plane.kubectl("create", "-f", "-", stdin=json.dumps(named))
        await eventually(lambda: self._refuses(kind))

    def remove(self) -> None:
        """Delete it, if it is there."""
        for suffix in ("Binding", ""):
            kind = f"ValidatingAdmissionPolicy{suffix}"
            self._stage.plane.kubectl("delete", kind, self._name, "--ignore-not-found")

    async def allow(self, kind: str) -> None:
        """Delete it, and wait until the API server has noticed."""
        self.remove()
        await eventually(lambda: not self._refuses(kind))

    def _refuses(self, kind: str) -> bool:
        ref = next(ref for ref in self._stage.store.objects if ref[0] == kind)
        try:
            self._stage.api.merge(ref, {}, "probe&dryRun=All")
        except urllib.error.HTTPError as error:
            return error.code == 422
        return False


@pytest.fixture
def policy(stage: Stage) -> Iterator[ForbiddingPolicy]:
    made = ForbiddingPolicy(stage)
    yield made
    made.remove()


async def test_a_rollback_whose_route_is_refused_diverts_its_backend_to_stable_and_reports_it(
    stage: Stage, policy: ForbiddingPolicy
) -> None:
    await canary(stage, 50)
    await policy.forbid("HTTPRoute")
    stage.actors.pod_status["better"] = (8, CRASH_LOOP)
    await stage.run(
        lambda s: s.condition("Ready")["reason"] == "RollbackBlocked", "it is reported", 60.0
    )
    await stage.advance(30.0)
    assert SENTENCE in stage.condition("Ready")["message"]
    assert stage.status["phase"] == "RollingBack"
    bad = {v: s for s, v in stage.traffic.versions.items()}["better"]
    service = stage.store.objects["Service", stage.key.namespace, f"fraud-scorer-{bad}"]
    assert service["spec"]["selector"]["merit.dev/revision"] == stage.status["stable"]["short"]
    await policy.allow("HTTPRoute")
    await stage.run(rolled_back, "traffic is taken back")


async def test_a_version_whose_deployment_is_refused_waits_in_the_policys_words(
    stage: Stage, policy: ForbiddingPolicy
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    await policy.forbid("Deployment")
    stage.declare("better")
    await stage.run(lambda s: s.status.get("phase") == "Invalid", "it is reported", limit=60.0)
    assert SENTENCE in stage.condition("Stalled")["message"]
    await stage.advance(30.0)
    before = stage.mdep["metadata"]["resourceVersion"]
    await stage.advance(150.0)
    assert (
        stage.mdep["metadata"]["resourceVersion"] == before
    )  # tried again, and nothing new to report
    assert stage.weights == {"good": 100} and unblamed(stage)
    await policy.allow("Deployment")
    await stage.run(live("better"), "promoted")


async def test_a_deployment_that_is_refused_after_its_gates_is_reported_too(
    stage: Stage, policy: ForbiddingPolicy
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("better")
    await stage.run(lambda s: s.status.get("phase") == "Evaluating", "its first gate", limit=60.0)
    await policy.forbid("Deployment")
    await stage.advance(60.0)
    assert stage.condition("Stalled")["reason"] == "Denied"
    assert SENTENCE in stage.condition("Stalled")["message"]
    assert stage.weights == {"good": 100} and unblamed(stage)
    await policy.allow("Deployment")
    await stage.run(live("better"), "promoted")
