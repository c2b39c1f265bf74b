"""A policy of the cluster refuses a write of the operator's: said in its words, and got over."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator

import pytest

from tests.apiserver.running import soon
from tests.apiserver.stage import VERSIONS, Stage, live, rolled_back
from tests.apiserver.test_node_loss import canary, condition, unblamed
from tests.world.ailing import LOOP

pytestmark = pytest.mark.apiserver
API = "admissionregistration.k8s.io/v1"
PLURALS = {"HTTPRoute": "httproutes", "Deployment": "deployments"}
SENTENCE = "frozen until Monday"


class Forbidding:
    """An admission policy of somebody else's in the stage's namespace."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._name = stage, stage.key.namespace

    async def writes(self, kind: str) -> None:
        """From now on every create and update of that kind is refused; one stands already."""
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
        for word, spec in (("", policy), ("Binding", binding)):
            made = {"apiVersion": API, "kind": f"ValidatingAdmissionPolicy{word}"}
            named = made | {"metadata": {"name": self._name}, "spec": spec}
            self._stage.plane.kubectl("create", "-f", "-", stdin=json.dumps(named))
        await soon(lambda: self._refuses(kind), 60.0)

    def nothing(self) -> None:
        """It is gone, if it was there."""
        for word in ("Binding", ""):
            kind = f"ValidatingAdmissionPolicy{word}"
            self._stage.plane.kubectl("delete", kind, self._name, "--ignore-not-found")

    async def no_longer(self, kind: str) -> None:
        """It is gone, and the API server has noticed."""
        self.nothing()
        await soon(lambda: not self._refuses(kind), 60.0)

    def _refuses(self, kind: str) -> bool:
        ref = next(ref for ref in self._stage.store.objects if ref[0] == kind)
        try:
            self._stage.api.merge(ref, {}, "probe&dryRun=All")
        except urllib.error.HTTPError as error:
            return error.code == 422
        return False


@pytest.fixture
def forbidding(stage: Stage) -> Iterator[Forbidding]:
    made = Forbidding(stage)
    yield made
    made.nothing()


async def test_a_rollback_whose_route_is_refused_leads_its_backend_to_stable_and_says_so(
    stage: Stage, forbidding: Forbidding
) -> None:
    await canary(stage, 50)
    await forbidding.writes("HTTPRoute")
    stage.actors.ailing["better"] = (8, LOOP)
    await stage.run(lambda s: condition(s, "Ready")["reason"] == "RollbackBlocked", "said", 60.0)
    await stage.rest(30.0)
    assert SENTENCE in condition(stage, "Ready")["message"]
    assert stage.status["phase"] == "RollingBack"
    bad = {v: s for s, v in stage.traffic.versions.items()}["better"]
    service = stage.store.objects["Service", stage.key.namespace, f"fraud-scorer-{bad}"]
    assert service["spec"]["selector"]["merit.dev/revision"] == stage.status["stable"]["short"]
    await forbidding.no_longer("HTTPRoute")
    await stage.run(rolled_back, "traffic is taken back")


async def test_a_version_whose_deployment_is_refused_waits_in_the_policys_words(
    stage: Stage, forbidding: Forbidding
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    await forbidding.writes("Deployment")
    stage.declare("better")
    await stage.run(lambda s: s.status.get("phase") == "Invalid", "it is said", limit=60.0)
    assert SENTENCE in condition(stage, "Stalled")["message"]
    await stage.rest(30.0)
    before = stage.mdep["metadata"]["resourceVersion"]
    await stage.rest(150.0)
    assert stage.mdep["metadata"]["resourceVersion"] == before  # asked again, and nothing to say
    assert stage.weights == {"good": 100} and unblamed(stage)
    await forbidding.no_longer("Deployment")
    await stage.run(live("better"), "promoted")


async def test_a_deployment_that_is_refused_after_its_gates_is_said_too(
    stage: Stage, forbidding: Forbidding
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "the first version serves")
    stage.declare("better")
    await stage.run(lambda s: s.status.get("phase") == "Evaluating", "its first gate", limit=60.0)
    await forbidding.writes("Deployment")
    await stage.rest(60.0)
    assert condition(stage, "Stalled")["reason"] == "Denied"
    assert SENTENCE in condition(stage, "Stalled")["message"]
    assert stage.weights == {"good": 100} and unblamed(stage)
    await forbidding.no_longer("Deployment")
    await stage.run(live("better"), "promoted")
