"""What Merit injects comes first, in every container of every pod: `$(MERIT_MODEL_URI)` works."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from merit.api.hashing import identify
from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.objects.evaluation_job import evaluation_job
from merit.objects.training_job import training_job
from merit.objects.workload import deployment, owner_reference
from tests.api.manifests import good

OWNER = owner_reference("fraud", "uid")
SERVER = Path(__file__).with_name("off_the_shelf_server.yaml")


def pods() -> dict[str, dict[str, Any]]:
    """The spec of each kind of pod, made of the same containers."""
    given = yaml.safe_load(SERVER.read_text())
    spec = good()["spec"]
    for template in (spec["serving"]["template"], spec["evaluation"]["job"]["template"]):
        probe = template["spec"]["containers"][0]
        template["spec"] |= copy.deepcopy(given)
        server = template["spec"]["containers"][0]
        server |= {k: v for k, v in probe.items() if k not in ("name", "image", "env")}
    parsed = parse_spec(spec, name="fraud")
    assert isinstance(parsed, Spec), parsed
    known = {"name": "fraud", "namespace": "risk", "owner": OWNER}
    evaluation = evaluation_job(
        job="j", spec=parsed, revision="h1:x", short="s", nonce="n", **known
    )
    uri = {"MERIT_MODEL_URI": parsed.model.uri, "MERIT_MODEL_VERSION": parsed.model.version}
    training = training_job(job="j", template={"template": {"spec": given}}, env=uri, **known)
    serving = deployment("fraud", "risk", OWNER, parsed, identify(spec))
    made = {"serving": serving, "evaluation": evaluation, "training": training}
    return {kind: obj["spec"]["template"]["spec"] for kind, obj in made.items()}


def expanded(container: dict[str, Any]) -> dict[str, str]:
    """Its variables as the kubelet expands them: by those before, what is unknown stays."""
    known: dict[str, str] = {}
    for entry in container["env"]:
        text = str(entry["value"])
        known[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda m: known.get(m[1], m[0]), text)
    return known


@pytest.mark.parametrize("kind", ["serving", "evaluation", "training"])
def test_a_variable_of_ours_is_expanded_in_those_of_the_user(kind: str) -> None:
    spec = good()["spec"]
    pod = pods()[kind]
    fetched, server = expanded(pod["initContainers"][0]), expanded(pod["containers"][0])
    assert fetched["SOURCE"] == spec["model"]["uri"]
    assert server["MLSERVER_MODEL_URI"] == spec["model"]["uri"]
    assert server["MLSERVER_MODEL_VERSION"] == f"v-{spec['model']['version']}"
