"""`merit validate` reads YAML as kubectl and the API server do."""

from __future__ import annotations

import json

import pytest
import yaml

from e2e.cluster.controlplane import ControlPlane
from merit.cli.documents import documents
from tests.api.manifests import put
from tests.cli.scalars import SCALARS

pytestmark = pytest.mark.apiserver
PLACE = "spec.serving.template.spec"


def number(value: object) -> object:
    """JSON writes 1000.0 as 1000, and large numbers with zeros."""
    return float(value) if kind(value) == "number" else value  # type: ignore[arg-type]


def kind(value: object) -> str:
    """Of JSON: true is no number, though it equals 1 in Python."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if numeric else type(value).__name__


def test_every_scalar_without_quotes_has_the_value_that_the_server_gets(
    control_plane: ControlPlane,
) -> None:
    indent = "\n" + " " * 40
    manifest = put("metadata.name", "scalars")
    manifest = put(f"{PLACE}.values", "HERE", put(f"{PLACE}.keys", "THERE", manifest))
    text = yaml.safe_dump(manifest)
    text = text.replace(" HERE", "".join(f"{indent}- {scalar}" for scalar in SCALARS))
    text = text.replace(" THERE", f"{indent}on: 1{indent}7: 1{indent}0x1F: 1{indent}1.50: 1")
    made = control_plane.kubectl(
        "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=text
    )  # fmt: skip
    theirs = json.loads(made)["spec"]["serving"]["template"]["spec"]
    (document,) = documents(text)
    ours = document.content["spec"]["serving"]["template"]["spec"]
    assert ours["keys"] == theirs["keys"]
    assert len(SCALARS) > 100 and len(ours["values"]) == len(theirs["values"]) == len(SCALARS)
    differ = [
        (scalar, mine, his)
        for scalar, mine, his in zip(SCALARS, ours["values"], theirs["values"], strict=True)
        if kind(mine) != kind(his) or number(mine) != number(his)
    ]
    assert not differ, differ
