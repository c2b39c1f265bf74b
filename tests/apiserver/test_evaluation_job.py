"""The evaluator's Job and its record on a real API server: strictly valid, found by label."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.cluster.controlplane import ControlPlane
from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.objects.evaluation_job import evaluation_job
from merit.objects.records import stage_record
from merit.objects.workload import owner_reference
from tests.api.manifests import put

pytestmark = pytest.mark.apiserver
OWNER = owner_reference("fraud", "11111111-2222-3333-4444-555555555555")
POD = {
    "serviceAccountName": "default",
    "initContainers": [{"name": "fetch", "image": "f:1"}],
    "containers": [{"name": "e", "image": "e:1"}],
}


@pytest.mark.parametrize("report", [{"format": "Native"}, {"format": "MLflow"}])
def test_the_job_is_taken_under_strict_validation(
    control_plane: ControlPlane, report: dict[str, Any]
) -> None:
    manifest = put("spec.evaluation.job.template.spec", POD)
    manifest = put("spec.evaluation.report", report, manifest)
    spec = parse_spec(manifest["spec"], name="fraud")
    assert isinstance(spec, Spec)
    job = evaluation_job(
        job="fraud-aaaaaaaa-evaluation-123456",
        name="fraud",
        namespace="default",
        owner=OWNER,
        spec=spec,
        revision="h1:" + "a" * 64,
        short="a" * 8,
        nonce="b" * 16,
        image="example.com/merit:1",
    )
    made = control_plane.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-",
        stdin=json.dumps(job),
    )  # fmt: skip
    pod = json.loads(made)["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert all(
        c["terminationMessagePolicy"] == "File" for c in pod["initContainers"] + pod["containers"]
    )


def test_a_record_cannot_be_changed_and_is_found_by_stage_and_revision(
    control_plane: ControlPlane,
) -> None:
    content = {"stage": "Evaluation", "revision": "h1:" + "a" * 64, "report": "{}\n\u00e9"}
    record = stage_record(
        record="fraud-aaaaaaaa-evaluation-123456",
        name="fraud",
        namespace="default",
        owner=OWNER,
        content=content,
    )
    del record["metadata"]["ownerReferences"]  # the collector would take it: nobody is its owner
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(record))
    label = "merit.dev/name=fraud,merit.dev/stage=evaluation,merit.dev/candidate=aaaaaaaa"
    found = json.loads(control_plane.kubectl("get", "cm", "-l", label, "-o", "json"))["items"]
    assert [item["data"] for item in found] == [content]
    with pytest.raises(Exception, match="immutable"):
        control_plane.kubectl(
            "patch", "cm", record["metadata"]["name"], "--type=merge", "-p", '{"data": {"a": "b"}}'
        )
