"""Routers: what is rendered is read back, and a route contains only what was declared."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merit.api.rollout import Route
from merit.traffic import ROUTERS
from merit.traffic.router import RouterState, Split

OWNER = {"apiVersion": "merit.dev/v1alpha1", "kind": "ModelDeployment", "name": "m", "uid": "u"}
GOOD, BETTER = "11111111", "22222222"
GATEWAY: dict[str, Any] = {"parentRefs": [{"name": "public"}], "hostnames": ["m.example.com"]}


def split(weights: dict[str, int], route: dict[str, Any], **more: Any) -> Split:
    ports = {GOOD: 8080, BETTER: 9090}
    declared = Route.model_validate(route)
    return Split("m", "ns", OWNER, declared, weights, GOOD, ports, **more)


def rendered(weights: dict[str, int], **gateway: Any) -> dict[str, Any]:
    return ROUTERS["gateway"].render(split(weights, {"gateway": GATEWAY | gateway}))[0]


@given(st.integers(0, 100))
def test_weights_are_read_back_as_they_were_set(weight: int) -> None:
    route = rendered({GOOD: 100 - weight, BETTER: weight})
    read = ROUTERS["gateway"].read(RouterState(objects={"HTTPRoute": route}))
    assert read.weights == {
        short: share for short, share in ((GOOD, 100 - weight), (BETTER, weight)) if share
    }
    for backend in route["spec"]["rules"][0]["backendRefs"]:
        assert backend["weight"] > 0
        assert backend["port"] == (8080 if backend["name"].endswith(GOOD) else 9090)


def test_every_rule_that_forwards_has_the_same_shares_and_a_redirect_has_none() -> None:
    rules = [
        {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]},
        {"matches": [{"path": {"value": "/a"}}], "timeouts": {"request": "3s"}},
        {"matches": [{"path": {"value": "/b"}}]},
    ]
    route = rendered({GOOD: 90, BETTER: 10}, rules=rules)
    first, second, third, quiet = route["spec"]["rules"]
    assert first == rules[0]
    assert second["backendRefs"] == third["backendRefs"]
    assert second["timeouts"] == {"request": "3s"}
    assert [backend["name"] for backend in quiet["backendRefs"]] == [f"m-{GOOD}"]
    read = ROUTERS["gateway"].read(RouterState(objects={"HTTPRoute": route}))
    assert read.weights == {GOOD: 90, BETTER: 10}


def test_what_a_rule_declares_besides_is_passed_on() -> None:
    rule = {
        "name": "predict",
        "retry": {"attempts": 2},
        "sessionPersistence": {"type": "Cookie"},
        "filters": [{"type": "CORS", "cors": {"allowOrigins": ["*"]}}],
    }
    route = rendered({GOOD: 90, BETTER: 10}, rules=[rule])
    first = route["spec"]["rules"][0]
    assert {part: first[part] for part in rule} == rule
    assert len(first["backendRefs"]) == 2
    again = split({GOOD: 100}, {"gateway": GATEWAY}, existing=route)
    kept = ROUTERS["gateway"].render(again)[0]["spec"]["rules"][0]
    assert {part: kept[part] for part in rule} == rule


@pytest.mark.parametrize("kind", ["gateway", "replicas"])
def test_declared_labels_and_annotations_are_on_the_route_and_the_service(kind: str) -> None:
    metadata = {
        "labels": {"team": "risk", "app.kubernetes.io/managed-by": "helm"},
        "annotations": {"external-dns.alpha.kubernetes.io/ttl": "60"},
    }
    route = {"gateway": GATEWAY} if kind == "gateway" else {"replicas": {}}
    plain = ROUTERS[kind].render(split({GOOD: 100}, route))
    described = ROUTERS[kind].render(split({GOOD: 100}, route | {"metadata": metadata}))
    for before, after in zip(plain, described, strict=True):
        mine, theirs = before["metadata"], after["metadata"]
        assert theirs["labels"] == mine["labels"] | {"team": "risk"}  # what is ours stays ours
        assert theirs["annotations"].items() >= metadata["annotations"].items()
        # An edit is applied although the rest of the object is the same.
        assert (
            theirs["annotations"]["merit.dev/applied"] != mine["annotations"]["merit.dev/applied"]
        )


def test_the_route_that_stands_is_kept_in_all_but_its_weights() -> None:
    existing = rendered({GOOD: 50, BETTER: 50}, hostnames=["old.example.com"])
    existing["spec"]["rules"][0]["matches"] = [{"path": {"value": "/old"}}]
    before = copy.deepcopy(existing)
    moved = ROUTERS["gateway"].render(split({GOOD: 100}, {"gateway": GATEWAY}, existing=existing))[
        0
    ]["spec"]
    assert existing == before
    assert moved["hostnames"] == ["old.example.com"]
    assert moved["rules"][0]["matches"] == [{"path": {"value": "/old"}}]
    assert [b["name"] for b in moved["rules"][0]["backendRefs"]] == [f"m-{GOOD}"]


def by_pods(weights: dict[str, int]) -> dict[str, Any]:
    return ROUTERS["replicas"].render(split(weights, {"replicas": {}}))[0]


def test_by_pod_count_the_service_is_before_one_or_before_all_that_serve() -> None:
    assert by_pods({GOOD: 100})["spec"]["selector"]["merit.dev/revision"] == GOOD
    both = by_pods({GOOD: 80, BETTER: 20})["spec"]["selector"]
    assert both == {"merit.dev/name": "m", "merit.dev/role": "serving"}


def test_by_pod_count_shares_are_read_from_pods_and_strangers_are_not_overlooked() -> None:
    router = ROUTERS["replicas"]
    intended = {GOOD: 80, BETTER: 20}
    both = {"Service": by_pods(intended)}
    read = router.read(RouterState(both, {GOOD: 4, BETTER: 1}, intended, GOOD))
    assert (dict(read.weights), read.accepted) == (intended, True)
    read = router.read(RouterState(both, {GOOD: 4, BETTER: 1, "33333333": 5}, intended, GOOD))
    assert read.weights == {BETTER: 10, "33333333": 50, GOOD: 40}
    read = router.read(
        RouterState({"Service": by_pods({GOOD: 100})}, {GOOD: 4, BETTER: 1}, intended)
    )
    assert read.weights == {GOOD: 100}
    assert not router.read(RouterState()).exists


def test_a_rule_that_somebody_older_has_is_no_acceptance() -> None:
    def told(**conditions: str) -> tuple[bool | None, str]:
        route = rendered({GOOD: 100})
        said = [
            {"type": kind, "status": status, "reason": "Why", "message": kind}
            for kind, status in conditions.items()
        ]
        read = ROUTERS["gateway"].read(
            RouterState(
                objects={"HTTPRoute": route | {"status": {"parents": [{"conditions": said}]}}}
            )
        )
        return read.accepted, read.reason

    assert told() == (None, "")
    assert told(Accepted="True", ResolvedRefs="True") == (True, "")
    assert told(Accepted="True", PartiallyInvalid="True") == (False, "Why: PartiallyInvalid")
    assert told(Accepted="False") == (False, "Why: Accepted")
    assert told(Accepted="True", PartiallyInvalid="False") == (True, "")
