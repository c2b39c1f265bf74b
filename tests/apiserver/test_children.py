"""What the operator makes, on a real API server: routes, pods, and edits of them by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from merit.traffic.gateway_api import API_VERSION
from tests.apiserver.stage import Stage, live
from tests.world.manifests import manifest

pytestmark = pytest.mark.apiserver
STRANGER = "kubectl-edit"

RULES: list[dict[str, Any]] = [
    {
        "matches": [
            {"path": {"value": "/predict"}, "method": "POST"},
            {"path": {"type": "Exact", "value": "/v2"}, "headers": [{"name": "x-v", "value": "2"}]},
            {"queryParams": [{"name": "explain", "value": "1"}]},
        ],
        "filters": [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"set": [{"name": "x-model", "value": "fraud"}]},
            },
            {
                "type": "ResponseHeaderModifier",
                "responseHeaderModifier": {"remove": ["server"]},
            },
            {
                "type": "URLRewrite",
                "urlRewrite": {"hostname": "models.example.com"},
            },
        ],
        "timeouts": {"request": "10s", "backendRequest": "5s"},
    },
    {
        "matches": [{"path": {"value": "/old"}}],
        "filters": [
            {
                "type": "RequestRedirect",
                "requestRedirect": {"statusCode": 301, "hostname": "new.example.com"},
            }
        ],
    },
]


def routed(rules: list[dict[str, Any]]) -> dict[str, Any]:
    rollout = copy.deepcopy(manifest("good")["spec"]["rollout"])
    rollout["route"]["gateway"]["rules"] = rules
    return rollout


def scalable() -> dict[str, Any]:
    """What makes a version one that load may scale."""
    spec = copy.deepcopy(manifest("good")["spec"])
    spec["constraints"]["scale"]["replicas"] = {"min": 2, "max": 8}
    container = spec["serving"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "100m"}}
    return {"constraints": spec["constraints"], "serving": spec["serving"]}


def named(stage: Stage, kind: str) -> tuple[str, str, str]:
    name = f"fraud-scorer-{stage.status['stable']['short']}"
    return (kind, stage.key.namespace, name)


def versions(stage: Stage) -> dict[str, str]:
    stage.store.refresh()
    return {
        "/".join(ref): obj["metadata"]["resourceVersion"]
        for ref, obj in stage.store.objects.items()
        if ref[0] not in ("ConfigMap", "Pod")
    }


async def test_matches_filters_and_timeouts_reach_the_route_as_they_were_written(
    stage: Stage,
) -> None:
    stage.declare("good", rollout=routed(RULES))
    await stage.run(live("good"), "it serves")
    stage.store.refresh()
    route = stage.store.objects["HTTPRoute", stage.key.namespace, "fraud-scorer"]
    assert route["apiVersion"] == API_VERSION
    forwarding, redirecting, _ = route["spec"]["rules"]
    first = RULES[0]
    assert forwarding["filters"] == first["filters"]
    assert forwarding["timeouts"] == first["timeouts"]
    assert [m.get("method") for m in forwarding["matches"]] == ["POST", None, None]
    assert forwarding["backendRefs"][0]["weight"] == 100
    assert "backendRefs" not in redirecting
    await stage.advance(60.0)
    before = versions(stage)
    stage.restart_operator()
    await stage.advance(60.0)
    assert versions(stage) == before  # defaults of the server are no drift, for a new one neither


async def test_edits_by_hand_are_put_right_and_then_it_is_quiet(stage: Stage) -> None:
    stage.declare("good", **scalable())
    await stage.run(live("good"), "it serves")
    await stage.advance(400.0)
    deployment, service = named(stage, "Deployment"), named(stage, "Service")
    stage.store.refresh()
    template = copy.deepcopy(stage.store.objects[deployment]["spec"]["template"])
    template["spec"]["containers"][0]["image"] = "example.com/other:9"
    stage.api.merge(deployment, {"spec": {"template": template, "paused": True}}, STRANGER)
    stage.api.merge(service, {"spec": {"selector": {"app": "theirs"}}}, STRANGER)
    stage.api.merge(service, {"metadata": {"labels": {"merit.dev/name": None}}}, STRANGER)
    await stage.advance(30.0)
    stage.store.refresh()
    mended = stage.store.objects[deployment]["spec"]
    assert mended["template"]["spec"]["containers"][0]["image"] == "example.com/server:1"
    assert not mended.get("paused")
    assert "app" not in stage.store.objects[service]["spec"]["selector"]
    assert stage.store.objects[service]["metadata"]["labels"]["merit.dev/name"] == "fraud-scorer"
    before = versions(stage)
    stage.restart_operator()
    await stage.advance(60.0)
    assert versions(stage) == before


ADDITIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "kubectl rollout restart": lambda template: template["metadata"].update(
        annotations={"kubectl.kubernetes.io/restartedAt": "2027-01-15T09:00:00Z"}
    ),
    "Reloader's variable": lambda template: template["spec"]["containers"][0]["env"].append(
        {"name": "STAKATER_FRAUD_CONFIGMAP", "value": "0a1b"}
    ),
    "an injected sidecar": lambda template: template["spec"]["containers"].append(
        {"name": "proxy", "image": "example.com/proxy:1"}
    ),
    "kubectl set resources": lambda template: template["spec"]["containers"][0].update(
        resources={"limits": {"cpu": "2"}}
    ),
    "a node selector": lambda template: template["spec"].update(nodeSelector={"disk": "ssd"}),
}


@pytest.mark.parametrize("what", ADDITIONS)
async def test_what_others_add_to_a_deployment_stays_and_costs_no_write(
    stage: Stage, what: str
) -> None:
    stage.declare("good")
    await stage.run(live("good"), "it serves")
    await stage.advance(400.0)
    deployment = named(stage, "Deployment")
    stage.store.refresh()
    template = copy.deepcopy(stage.store.objects[deployment]["spec"]["template"])
    ADDITIONS[what](template)
    stage.api.merge(deployment, {"spec": {"template": template}}, STRANGER)
    stage.store.refresh()
    added = stage.store.objects[deployment]["spec"]["template"]
    before = versions(stage)
    await stage.advance(60.0)
    stage.store.refresh()
    assert stage.store.objects[deployment]["spec"]["template"] == added
    assert stage.status["phase"] == "Live"
    quiet = {ref: v for ref, v in versions(stage).items() if "Deployment" not in ref}
    assert quiet == {ref: v for ref, v in before.items() if "Deployment" not in ref}


async def test_autoscaler_and_budget_are_taken_by_the_server_and_replicas_are_the_scalers(
    stage: Stage,
) -> None:
    stage.declare("good", **scalable())
    await stage.run(live("good"), "it serves")
    await stage.advance(30.0)
    stage.store.refresh()
    scaler = stage.store.objects[named(stage, "HorizontalPodAutoscaler")]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 8)
    assert named(stage, "PodDisruptionBudget") in stage.store.objects
    deployment = named(stage, "Deployment")
    stage.api.merge(deployment, {"spec": {"replicas": 5}}, "hpa", "scale")
    stage.actors.load_replicas[deployment[2][-8:]] = 5
    await stage.advance(60.0)
    stage.store.refresh()
    assert stage.store.objects[deployment]["spec"]["replicas"] == 5
    entries = stage.store.objects[deployment]["metadata"]["managedFields"]
    ours = [e for e in entries if e["manager"] == "merit" and e["operation"] == "Apply"]
    assert all("f:replicas" not in e["fieldsV1"].get("f:spec", {}) for e in ours)


async def test_the_kind_of_route_cannot_change_while_a_revision_serves(stage: Stage) -> None:
    stage.declare("good")
    await stage.run(live("good"), "it serves")
    rollout = copy.deepcopy(manifest("good")["spec"]["rollout"])
    rollout["route"] = {"replicas": {}}
    with pytest.raises(Exception, match="422"):
        stage.declare("good", rollout=rollout)


async def test_a_route_that_the_server_refuses_is_told_before_any_gate(stage: Stage) -> None:
    wrong = copy.deepcopy(RULES[:1])
    wrong[0]["matches"][0]["path"]["type"] = "Glob"
    stage.declare("good", rollout=routed(wrong))
    await stage.run(lambda s: s.status.get("phase") == "Invalid", "it is refused", limit=60.0)
    assert "spec.rollout.route.gateway" in stage.status["summary"]
    assert "PathPrefix" in stage.status["summary"]


async def test_a_field_that_the_installed_gateway_api_lacks_is_told_with_the_remedy(
    stage: Stage,
) -> None:
    stage.declare("good", rollout=routed([{"name": "predict", "retry": {"attempts": 2}}]))
    await stage.run(lambda s: s.status.get("phase") == "Invalid", "it is refused", limit=60.0)
    assert "spec.rollout.route.gateway" in stage.status["summary"]
    assert "retry" in stage.status["summary"] and "experimental" in stage.status["summary"]


async def test_an_extension_needs_the_leave_of_the_operators_configuration(stage: Stage) -> None:
    ref = {"group": "gateway.nginx.org", "kind": "SnippetsFilter", "name": "auth"}
    rule = {"filters": [{"type": "ExtensionRef", "extensionRef": ref}]}
    stage.declare("good", rollout=routed([rule]))
    await stage.run(lambda s: s.status.get("phase") == "Invalid", "it is refused", limit=60.0)
    assert stage.status["reason"].startswith("ExtensionRefused")
    assert "routes.extensionRefs" in stage.status["summary"]


async def test_an_edit_of_the_routes_metadata_reaches_route_and_service_and_starts_nothing(
    stage: Stage,
) -> None:
    stage.declare("good", rollout=routed([{"name": "predict"}]))
    await stage.run(live("good"), "it serves")
    before = stage.status["stable"], len(stage.status["decisions"])
    for team in ("risk", "payments", None):
        rollout = routed([{"name": "predict"}])
        note = {"labels": {"team": team}, "annotations": {"example.com/note": "a"}}
        rollout["route"] |= {"metadata": note} if team else {}
        stage.declare("good", rollout=rollout)
        await stage.advance(30.0)
        stage.store.refresh()
        for kind in ("HTTPRoute", "Service"):
            made = stage.store.objects[kind, stage.key.namespace, "fraud-scorer"]["metadata"]
            assert made["labels"].get("team") == team, kind
            assert made["annotations"].get("example.com/note") == ("a" if team else None)
            assert made["labels"]["merit.dev/name"] == "fraud-scorer"
    assert (
        stage.store.objects["HTTPRoute", stage.key.namespace, "fraud-scorer"]["spec"]["rules"][0][
            "name"
        ]
        == "predict"
    )
    assert (stage.status["stable"], len(stage.status["decisions"])) == before
    assert not stage.status.get("candidate")


async def test_an_edit_into_a_refused_route_leaves_the_one_that_stands(stage: Stage) -> None:
    stage.declare("good", rollout=routed(RULES[:1]))
    await stage.run(live("good"), "it serves")
    wrong = copy.deepcopy(RULES[:1])
    wrong[0]["timeouts"] = {"request": "1s", "backendRequest": "5s"}
    stage.declare("good", rollout=routed(wrong))
    await stage.run(lambda s: "refuses it" in s.status.get("summary", ""), "said", limit=60.0)
    await stage.advance(30.0)
    stage.store.refresh()
    route = stage.store.objects["HTTPRoute", stage.key.namespace, "fraud-scorer"]["spec"]
    assert route["rules"][0]["timeouts"] == RULES[0]["timeouts"]
    stage.declare("good", rollout=routed(RULES[:1]))
    await stage.run(live("good"), "corrected", limit=120.0)
