"""The CRD on a real API server: it is accepted, and refuses what it can by itself."""

from __future__ import annotations

import json

import pytest

from e2e.cluster.controlplane import ControlPlane
from e2e.cluster.paths import ClusterError
from merit.api.status import (
    Candidate,
    Condition,
    DecisionLine,
    FlowStage,
    Leaving,
    NextStep,
    Promotion,
    Rejection,
    Revision,
    Signal,
    Status,
)
from tests.api.manifests import full, good, put
from tests.api.wrong_manifests import PARAMS, Wrong
from tests.apiserver.crds import apply

pytestmark = pytest.mark.apiserver


def test_a_good_manifest_is_stored_as_written_with_no_default_in_spec(
    control_plane: ControlPlane,
) -> None:
    apply(control_plane, good())
    stored = json.loads(control_plane.kubectl("get", "mdep", "fraud-scorer", "-o", "json"))
    assert stored["spec"] == good()["spec"]
    assert stored["status"] == {"observedGeneration": -1}
    head = control_plane.kubectl("get", "ml").splitlines()[0].split()
    assert head == [
        "NAME",
        "READY",
        "PHASE",
        "STABLE",
        "CANDIDATE",
        "TRUST",
        "REASON",
        "AGE",
    ]


def test_every_field_is_taken_and_kept(control_plane: ControlPlane) -> None:
    manifest = put("metadata.name", "full", full())
    apply(control_plane, manifest)
    stored = json.loads(control_plane.kubectl("get", "mdep", "full", "-o", "json"))
    assert stored["spec"] == manifest["spec"]


def test_nothing_of_a_whole_status_is_pruned(control_plane: ControlPlane) -> None:
    apply(control_plane, put("metadata.name", "status"))
    at, h = "2026-11-23T01:02:03Z", "h1:" + "0" * 64
    status = Status(
        observed_generation=1,
        phase="Canary 25%",
        trust="Earning",
        reason="Canary 0.4% errors",
        summary="errors 0.4% of 1,000 requests, below 1%",
        conditions=(Condition(type="Ready", status="False", reason="Canary", message="25%"),),
        stable=Revision(revision=h, short="0" * 8, policy="1" * 8, version="1", promoted_at=at),
        candidate=Candidate(
            revision=h,
            short="0" * 8,
            policy="1" * 8,
            version="2",
            stage="Rollout",
            since=at,
            weight=25,
            step=3,
            attempt=2,
            rollout_since=at,
            superseded=True,
        ),
        leaving=(Leaving(short="0" * 8, since=at, until=at),),
        flow=(
            FlowStage(stage="Evaluation", verdict="Good", reason="MeetsBars", at=at, record="r"),
        ),
        signals=(Signal(name="errors", value="0.1%", bar="1%", n=10, verdict="Good"),),
        next=NextStep(at=at, what="judge again"),
        decisions=(DecisionLine(at=at, what="5% -> 25%", why="proven"),),
        rejected=(
            Rejection(revision=h, stage="Rollout", policy=h, reason="R", at=at, evidence="e"),
        ),
        promoted=(Promotion(revision=h, short="0" * 8, policy="1" * 8, version="1", at=at),),
        last_handled={"retry": "00000000"},
        effective={"steps": [1, 5], "holdback": {"weight": 10}},
        analysis={"errors": {"log_m": "1.234"}, "log": []},
    ).to_dict()
    expected = json.loads(json.dumps(status))
    control_plane.kubectl(
        "patch", "mdep", "status", "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": expected}),
    )  # fmt: skip
    stored = json.loads(control_plane.kubectl("get", "mdep", "status", "-o", "json"))["status"]
    assert stored == expected
    table = control_plane.kubectl("get", "mdep", "status")
    assert "Canary 25%" in table and "Earning" in table and "Canary 0.4% errors" in table
    assert "of 1,000 requests" not in table
    wide = control_plane.kubectl("get", "mdep", "status", "-o", "wide")
    assert "errors 0.4% of 1,000 requests, below 1%" in wide


@pytest.mark.parametrize("wrong", PARAMS)
def test_a_wrong_manifest_is_refused_or_left_to_the_operator(
    control_plane: ControlPlane, wrong: Wrong
) -> None:
    try:
        apply(control_plane, wrong.manifest, "--dry-run=server")
    except ClusterError as error:
        said = str(error)
        assert wrong.crd, said
        assert wrong.field in said or wrong.field.removeprefix("spec.") in said, said
    else:
        assert not wrong.crd, "the API server took it"
