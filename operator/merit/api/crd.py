"""Generates the CustomResourceDefinition, its schema and descriptions included, from the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

from merit.api.cel import ROOT_RULES, RULES
from merit.api.names import GROUP, KIND, MAX_NAME, NAME_PATTERN, PLURAL, VERSION
from merit.api.spec import Spec
from merit.api.status import Status

Schema = dict[str, Any]

_KEPT = (
    "type", "description", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems",
    "maxProperties", "required", "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
)  # fmt: skip


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition as an object."""
    spec = _schema(Spec)
    for path, rule, message in RULES:
        at = _at(spec, path)
        at.setdefault("x-kubernetes-validations", []).append({"rule": rule, "message": message})
    spec["properties"]["rollback"]["x-kubernetes-map-type"] = "atomic"
    status = _schema(Status)
    _bound(status)
    # Tools that read status must not take an object that the operator never saw for finished.
    status["default"] = {"observedGeneration": -1}
    status["properties"]["observedGeneration"]["format"] = "int64"
    conditions = status["properties"]["conditions"]
    conditions["x-kubernetes-list-type"] = "map"
    conditions["x-kubernetes-list-map-keys"] = ["type"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mdep"],
                "categories": ["ml"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root(spec, status)},
                    "subresources": {"status": {}},
                    "selectableFields": [
                        {"jsonPath": ".spec.owner.team"},
                        {"jsonPath": ".status.phase"},
                    ],
                    "additionalPrinterColumns": list(_columns()),
                }
            ],
        },
    }


def crd_yaml() -> str:
    """The text of `crds/merit.dev_modeldeployments.yaml`."""
    head = "# Generated from the models by `merit crd`. Do not edit.\n"
    return head + yaml.dump(
        crd(), Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=100
    )


class _NoAliases(yaml.SafeDumper):
    """Writes no anchors: they are hard to read, and not every tool follows them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# YAML readers in Go take a bare n or y for a boolean, which would lose a field of that name.
_NoAliases.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"), list("yYnN"))


def _root(spec: Schema, status: Schema) -> Schema:
    name = {"type": "string", "maxLength": MAX_NAME, "pattern": NAME_PATTERN}
    return {
        "type": "object",
        "description": "A machine-learning model, and how it gets from declared to serving.",
        "required": ["spec"],
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} for rule, message in ROOT_RULES
        ],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": name}},
            "spec": spec,
            "status": status,
        },
    }


def _columns() -> Iterator[dict[str, Any]]:
    condition = '.status.conditions[?(@.type=="{}")].status'
    signal = '.status.signals[?(@.name=="{}")].value'
    for name, path, wide in (
        ("Ready", condition.format("Ready"), False),
        ("Phase", ".status.phase", False),
        ("Stable", ".status.stable.short", False),
        ("Candidate", ".status.candidate.short", False),
        ("Trust", ".status.trust", False),
        ("Reason", ".status.reason", False),
        ("Age", ".metadata.creationTimestamp", False),
        ("Summary", ".status.summary", True),
        ("Available", condition.format("Available"), True),
        ("Owner", ".spec.owner.team", True),
        ("Weight", ".status.candidate.weight", True),
        ("P99", signal.format("latency/p99"), True),
        ("Errors", signal.format("errors"), True),
        ("Cost", signal.format("cost"), True),
        ("Next", ".status.next.at", True),
    ):
        kind = {"Age": "date", "Weight": "integer"}.get(name, "string")
        column = {"name": name, "type": kind, "jsonPath": path}
        yield column | {"priority": 1} if wide else column


def _schema(model: type[BaseModel]) -> Schema:
    full = model.model_json_schema(by_alias=True)
    return _convert(full, full.get("$defs", {}))


def _convert(node: Schema, defs: Schema) -> Schema:
    """Pydantic's JSON schema as a structural one: no references, no unions, no defaults."""
    node = dict(node)
    if "anyOf" in node:  # the other is null, which the API server drops by itself
        (only,) = [n for n in node.pop("anyOf") if n.get("type") != "null"]
        node = only | node
    if "$ref" in node:
        target = defs[node.pop("$ref").rpartition("/")[2]]
        node = target | node
    if "const" in node:
        node["enum"] = [node["const"]]
    result = {key: node[key] for key in _KEPT if key in node}
    if "properties" in node:
        result["properties"] = {k: _convert(v, defs) for k, v in node["properties"].items()}
    if "items" in node:
        result["items"] = _convert(node["items"], defs)
    values = node.get("additionalProperties")
    if isinstance(values, dict):
        result["additionalProperties"] = _convert(values, defs)
    elif values is True:
        result["x-kubernetes-preserve-unknown-fields"] = True
    return result


def _at(spec: Schema, path: str) -> Schema:
    at = spec
    for part in path.split(".") if path else ():
        at = at["properties"][part.removesuffix("[]")]
        at = at["items"] if part.endswith("[]") else at
    return at


def _bound(node: Schema) -> None:
    """Sets a limit on every string, list and map of status."""
    match node.get("type"):
        case "string" if "enum" not in node:
            node.setdefault("maxLength", 4096)
        case "array":
            node.setdefault("maxItems", 64)
            _bound(node["items"])
        case "object" if "additionalProperties" in node:
            node.setdefault("maxProperties", 64)
            _bound(node["additionalProperties"])
    for child in node.get("properties", {}).values():
        _bound(child)
