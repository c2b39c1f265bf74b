"""Manifests of model servers on a real API server: they are taken, and their children, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from e2e.cluster.controlplane import ControlPlane
from merit.api.hashing import identify
from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.objects.evaluation_job import evaluation_job
from merit.objects.workload import deployment, owner_reference

pytestmark = pytest.mark.apiserver
SERVERS = sorted((Path(__file__).parents[2] / "examples" / "servers").glob("*.yaml"))
OWNER = owner_reference("x", "11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize("path", SERVERS, ids=lambda path: path.stem)
def test_a_model_servers_manifest_is_taken_and_so_are_its_deployment_and_its_job(
    control_plane: ControlPlane, path: Path
) -> None:
    manifest = yaml.safe_load(path.read_text())
    manifest["metadata"]["namespace"] = "default"
    name = manifest["metadata"]["name"]
    spec = parse_spec(manifest["spec"], name=name)
    assert isinstance(spec, Spec)
    identity = identify(manifest["spec"])
    job = evaluation_job(
        job=f"{name}-evaluation-123456",
        name=name,
        namespace="default",
        owner=OWNER,
        spec=spec,
        revision=identity.revision,
        short=identity.short,
        nonce="b" * 16,
        image="example.com/merit:1",
    )
    children = [deployment(name, "default", OWNER, spec, identity), job]
    made = control_plane.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [manifest, *children]}),
    )  # fmt: skip
    kinds = [line.partition(".")[0] for line in made.splitlines()]
    assert kinds == ["modeldeployment", "deployment", "job"]
