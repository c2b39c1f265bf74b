"""The chart's admission policies on a real API server: who may do what, and the messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError
from tests.api.manifests import put
from tests.apiserver.crds import apply
from tests.apiserver.processes import PATIENCE
from tests.chart.rendered import render

pytestmark = pytest.mark.apiserver

Object = dict[str, Any]
NAMESPACE = "guarded"
OPERATOR = "system:serviceaccount:merit-system:merit"
MAKES = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
    {
        "apiGroups": ["gateway.networking.k8s.io"],
        "resources": ["httproutes"],
        "verbs": ["create"],
    },
    {
        "apiGroups": ["batch"],
        "resources": ["cronjobs"],
        "resourceNames": ["train-fraud"],
        "verbs": ["update"],
    },
]
READS = {  # kubectl reads what it patches; the operator does not
    "apiGroups": ["merit.dev"],
    "resources": ["modeldeployments/status"],
    "verbs": ["get"],
}
NOTES = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch", "get"]}
SERVING = "spec.serving.template.spec"
PIN = {
    "fromRevision": "h1:" + "0" * 64,
    "fromStage": "Rollout",
    "fromPolicy": "h1:" + "1" * 64,
    "toRevision": "h1:" + "2" * 64,
    "reason": "ErrorsBreached",
    "message": "errors 6.2% > 1%",
    "at": "2026-11-23T01:02:03Z",
}


@pytest.fixture(scope="module")
def guarded(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The policies in one namespace, and four users: writer, deployer, oncall and the operator.

    Those that confine the operator are tested by `test_stolen_token` and `test_rights`.
    """
    values = {
        "config": {"watch": {"namespaces": [NAMESPACE]}},
        "podDisruptionBudget": {},
        "admission": {"confineOperator": False},
    }
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ClusterRole")
    made = [o for o in render(**values) if o["kind"] in kinds or _of_namespace(o)]
    control_plane.kubectl("create", "namespace", NAMESPACE)
    made += [
        *_role("writer", [NOTES], "merit-edit"),
        *_role("deployer", [NOTES, *MAKES], "merit-edit"),
        *_role("oncall", [NOTES, *MAKES], "merit-edit", "merit-operator"),
        *_role("kubectl", [READS], user=OPERATOR),
    ]
    for obj in made:
        apply(control_plane, obj)
    _until_in_force(control_plane)
    yield control_plane
    for obj in made:
        if obj["kind"].startswith("Validating"):
            control_plane.kubectl("delete", obj["kind"], obj["metadata"]["name"])


def _of_namespace(obj: Object) -> bool:
    return bool(obj["metadata"].get("namespace") == NAMESPACE)


def _role(name: str, rules: list[Object], *cluster_roles: str, user: str = "") -> list[Object]:
    """That Role, and bindings of it and of the chart's roles to the user of its name, or `user`."""
    api = "rbac.authorization.k8s.io"
    meta = {"name": name, "namespace": NAMESPACE}
    made: list[Object] = [
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    ]
    for kind, role in (
        ("Role", name),
        *(("ClusterRole", r) for r in ("merit-view", *cluster_roles)),
    ):
        made.append(
            {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{name}-{role}", "namespace": NAMESPACE},
                "roleRef": {"apiGroup": api, "kind": kind, "name": role},
                "subjects": [{"apiGroup": api, "kind": "User", "name": user or name}],
            }
        )
    return made


def _until_in_force(plane: ControlPlane) -> None:
    """New policies and roles need a moment each: wait for a refusal by, and a right from, each."""
    probe = put("metadata.name", "probe")
    dry_run = ("create", "--dry-run=server", "--field-manager=other")
    refusals = {
        "merit-pod-rights": ("writer", probe),
        "merit-rollback-owner": ("deployer", put("spec.rollback", PIN, probe)),
        "merit-operate": ("deployer", with_token("abort", "1", probe)),
        "merit-ledger-writer": ("deployer", config_map("probe-ledger", labelled=True)),
    }
    for policy, (user, obj) in refusals.items():
        _wait(lambda user=user, obj=obj, name=policy: name in refused(plane, user, obj, *dry_run))
    for user in ("writer", "deployer", "oncall", OPERATOR):
        allowed = config_map("probe", labelled=False)
        _wait(lambda user=user, obj=allowed: not refused(plane, user, obj, *dry_run))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def refused(plane: ControlPlane, user: str, obj: Object, verb: str, *more: str) -> str:
    """The error that `user` gets for doing that with the object; "" if it is accepted."""
    obj["metadata"]["namespace"] = NAMESPACE
    try:
        plane.kubectl(verb, *_as(user), *more, "-f", "-", stdin=json.dumps(obj))
    except ClusterError as error:
        return str(error)
    return ""


def _as(user: str) -> tuple[str, ...]:
    return () if user == "admin" else (f"--as={user}",)


def patched(plane: ControlPlane, user: str, name: str, patch: Object, *more: str) -> str:
    """The same for a merge patch."""
    body = json.dumps(patch)
    where = ("-n", NAMESPACE, f"--as={user}", "--type=merge", "-p", body)
    try:
        plane.kubectl("patch", "mdep", name, *where, *more)
    except ClusterError as error:
        return str(error)
    return ""


def scorer(name: str, path: str = "", value: Any = None) -> Object:
    """A good manifest of that name, changed at a path."""
    made = put("metadata.name", name)
    return put(path, value, made) if path else made


def with_token(verb: str, value: str, obj: Object) -> Object:
    return put("metadata.annotations", {f"merit.dev/{verb}": value}, obj)


def config_map(name: str, *, labelled: bool) -> Object:
    labels = {"merit.dev/name": name.removesuffix("-ledger")} if labelled else {}
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"promoted": "[]"}}


ON_SERVER = ("--server-side", "--force-conflicts")


def test_only_the_operator_writes_the_pin_and_everybody_may_take_it_out(
    guarded: ControlPlane,
) -> None:
    assert not refused(guarded, "deployer", scorer("pinned"), "create")
    pin = scorer("pinned", "spec.rollback", PIN)
    for user in ("deployer", "oncall", "admin"):
        said = refused(guarded, user, pin, "apply", *ON_SERVER, "--field-manager=flux")
        assert "spec.rollback belongs to the operator" in said, user
    only_pin = {"spec": {"rollback": PIN}}
    assert not patched(guarded, OPERATOR, "pinned", only_pin, "--field-manager=merit")
    # What repeats the pin that stands there, and what leaves it out, passes.
    assert not refused(guarded, "deployer", pin, "apply", *ON_SERVER, "--field-manager=flux")
    without = {"spec": {"rollback": None}}
    assert not patched(guarded, "deployer", "pinned", without)


def test_the_verb_and_the_manager_together_change_a_pin_and_the_verb_alone_restores_one(
    guarded: ControlPlane,
) -> None:
    assert not refused(guarded, "deployer", scorer("restored"), "create")
    patch = {"spec": {"rollback": PIN}}
    assert patched(guarded, "deployer", "restored", patch, "--field-manager=merit-cli")
    assert patched(guarded, "oncall", "restored", patch)
    assert not patched(guarded, "oncall", "restored", patch, "--field-manager=merit-cli")
    again = scorer("restored-too", "spec.rollback", PIN)
    assert refused(guarded, "deployer", again, "create")
    assert not refused(guarded, "oncall", again, "create")


@pytest.mark.parametrize("verb", ["approve", "abort", "promote", "retry", "rollback"])
def test_a_token_needs_the_verb_operate_and_may_be_removed_without(
    guarded: ControlPlane, verb: str
) -> None:
    name = f"token-{verb}"

    def annotate(user: str, value: str | None, key: str = f"merit.dev/{verb}") -> str:
        return patched(guarded, user, name, {"metadata": {"annotations": {key: value}}})

    assert not refused(guarded, "deployer", scorer(name), "create")
    assert f"setting merit.dev/{verb} needs the verb operate" in annotate("deployer", "1")
    assert not annotate("oncall", "1")
    assert annotate("deployer", "2")
    assert not annotate("deployer", "words", "example.com/note")
    assert not annotate("deployer", None)
    assert refused(guarded, "deployer", with_token(verb, "1", scorer(f"{name}-new")), "create")
    assert not refused(guarded, "oncall", with_token(verb, "1", scorer(f"{name}-new")), "create")


def test_a_bypass_needs_the_verb_operate_and_may_be_removed_without(guarded: ControlPlane) -> None:
    bypass = {"stages": ["Evaluation"], "reason": "INC-4711", "expires": "2099-01-01T00:00:00Z"}
    assert not refused(guarded, "deployer", scorer("bypassed"), "create")
    patch = {"spec": {"bypass": bypass}}
    assert "spec.bypass skips a gate" in patched(guarded, "deployer", "bypassed", patch)
    assert not patched(guarded, "oncall", "bypassed", patch)
    longer = {"spec": {"bypass": bypass | {"expires": "2099-02-01T00:00:00Z"}}}
    assert patched(guarded, "deployer", "bypassed", longer)
    assert not patched(guarded, "deployer", "bypassed", {"spec": {"paused": True}})
    assert not patched(guarded, "deployer", "bypassed", {"spec": {"bypass": None}})
    assert refused(guarded, "deployer", scorer("bypassed-too", "spec.bypass", bypass), "create")


def test_who_may_not_make_what_the_operator_makes_may_not_declare_it(
    guarded: ControlPlane,
) -> None:
    said = refused(guarded, "writer", scorer("mine"), "create")
    assert "right to create deployments" in said
    assert not refused(guarded, "deployer", scorer("mine"), "create")
    for patch in (
        {"metadata": {"labels": {"team": "risk"}}},
        {"spec": {"paused": True}},
        {"spec": {"owner": {"contact": "#elsewhere"}}},
        {"spec": {"constraints": {"errors": {"max": "2%"}}}},
    ):
        assert not patched(guarded, "writer", "mine", patch)
    for patch in (
        {"spec": {"model": {"version": "2"}}},
        {"spec": {"evaluation": {"bars": [{"metric": "recall", "min": "0.5"}]}}},
        {"spec": {"rollout": {"steps": [10]}}},
    ):
        assert patched(guarded, "writer", "mine", patch)


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
@pytest.mark.parametrize("part", ["serving", "evaluation"])
def test_a_named_account_needs_the_verb_use_on_it(
    guarded: ControlPlane, part: str, field: str
) -> None:
    job = "job." if part == "evaluation" else ""
    path = f"spec.{part}.{job}template.spec.{field}"
    said = refused(
        guarded, "deployer", scorer("account", path, "trainer"), "create", "--dry-run=server"
    )
    assert f"template of spec.{part} names the ServiceAccount trainer" in said
    for harmless in ("", "default", None):
        taken = scorer("account", path, harmless)
        assert not refused(guarded, "deployer", taken, "create", "--dry-run=server")


def test_the_pods_of_a_cron_job_run_only_for_who_may_write_that_cron_job(
    guarded: ControlPlane,
) -> None:
    def declared(user: str, cron_job: str) -> str:
        trained = scorer("trained", "spec.retrain", {"cronJob": cron_job})
        return refused(guarded, user, trained, "create", "--dry-run=server")

    assert "you need the right to update that CronJob" in declared("deployer", "payroll")
    assert not declared("deployer", "train-fraud")


HOST = {
    "a host path": ("volumes", [{"name": "v", "hostPath": {"path": "/"}}]),
    "the host's network": ("hostNetwork", True),
    "the host's processes": ("hostPID", True),
    "a privileged container": ("containers.0.securityContext", {"privileged": True}),
}


@pytest.mark.parametrize("what", HOST)
def test_access_to_the_host_is_refused_to_everybody(guarded: ControlPlane, what: str) -> None:
    path, value = HOST[what]
    for template in (SERVING, "spec.evaluation.job.template.spec"):
        made = scorer("host", f"{template}.{path}", value)
        said = refused(guarded, "admin", made, "create", "--dry-run=server")
        assert "are refused by this cluster's Merit configuration" in said


def test_a_ledger_is_written_by_the_operator_and_by_who_may_operate(
    guarded: ControlPlane,
) -> None:
    forged = config_map("forged-ledger", labelled=True)
    assert "operator's ledger" in refused(guarded, "deployer", forged, "create")
    assert not refused(guarded, "deployer", config_map("books-ledger", labelled=False), "create")
    assert not refused(guarded, "oncall", config_map("saved-ledger", labelled=True), "create")
    assert not refused(guarded, OPERATOR, config_map("own-ledger", labelled=True), "create")
    books = config_map("books-ledger", labelled=True)
    assert refused(guarded, "deployer", books, "apply", *ON_SERVER)
    assert refused(
        guarded, "deployer", config_map("own-ledger", labelled=False), "apply", *ON_SERVER
    )


def test_the_operator_passes_every_policy_with_what_it_really_writes(
    guarded: ControlPlane,
) -> None:
    assert not refused(guarded, "deployer", scorer("served"), "create")
    for body in ({"spec": {"rollback": PIN}}, {"spec": {"rollback": None}}):
        assert not patched(guarded, OPERATOR, "served", body, "--field-manager=merit")
    told = {"status": {"observedGeneration": 1, "lastHandled": {"abort": "1"}}}
    assert not patched(guarded, OPERATOR, "served", told, "--subresource=status")
