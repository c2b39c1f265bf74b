"""The CRD is complete and bounded, and its file is not stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from merit.api.crd import crd, crd_yaml

FILE = Path(__file__).parents[2] / "crds" / "merit.dev_modeldeployments.yaml"


def test_the_file_of_the_crd_is_what_the_models_say() -> None:
    assert FILE.read_text() == crd_yaml(), "stale: merit crd > crds/merit.dev_modeldeployments.yaml"


def test_every_field_of_spec_is_described_and_bounded_and_has_no_default() -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for path, node in _nodes(schema["spec"], "spec"):
        assert "default" not in node, path
        if not path.endswith("[]"):
            assert node.get("description"), path
    for path, node in [*_nodes(schema["spec"], "spec"), *_nodes(schema["status"], "status")]:
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
    assert schema["status"]["default"] == {"observedGeneration": -1}
    assert schema["spec"]["properties"]["rollback"]["x-kubernetes-map-type"] == "atomic"


def test_the_short_reason_is_printed_and_the_sentence_with_wide_output() -> None:
    columns = crd()["spec"]["versions"][0]["additionalPrinterColumns"]
    by_name = {column["name"]: column for column in columns}
    assert by_name["Reason"] == {"name": "Reason", "type": "string", "jsonPath": ".status.reason"}
    assert by_name["Summary"]["jsonPath"] == ".status.summary"
    assert by_name["Summary"]["priority"] == 1


def _nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from _nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from _nodes(node["items"], f"{path}[]")
