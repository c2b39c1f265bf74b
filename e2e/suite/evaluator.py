"""An evaluator that leaves a file, as a framework saves it: a real one of the tests, or garbage."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from e2e.demo.model import NAME, Object
from e2e.suite.workspace import Workspace

GOLDEN = Path(__file__).parents[2] / "tests" / "cli" / "adapters" / "golden"
SAVED = "/saved"
# What a framework does at its end. A ConfigMap's files are links, which are not read: it copies.
SAVE = "import os, shutil, sys; shutil.copy(sys.argv[1], os.environ['MERIT_REPORT_DIR'])"


def golden(name: str) -> str:
    """What the framework itself wrote."""
    return (GOLDEN / name).read_text(encoding="utf-8")


def saves(evaluation: Object, file: str, *, framework: str, bars: list[dict[str, Any]]) -> Object:
    """`spec.evaluation` whose container saves that file. `evaluation`: the example's own."""
    changed = copy.deepcopy(evaluation)
    pod = changed["job"]["template"]["spec"]
    (container,) = pod["containers"]
    container["command"] = ["/usr/bin/python3", "-c", SAVE, f"{SAVED}/{file}"]
    container["volumeMounts"] = [{"name": "saved", "mountPath": SAVED, "readOnly": True}]
    pod["volumes"] = [{"name": "saved", "configMap": {"name": name_of(file)}}]
    return changed | {"report": {"format": framework, "path": file}, "bars": bars}


def name_of(file: str) -> str:
    """The ConfigMap that a file's content is in."""
    return f"saved-{file.partition('.')[0]}"


class Evaluator:
    """The evaluator of one test's model."""

    def __init__(self, workspace: Workspace) -> None:
        self._place = workspace

    def apply(
        self, version: str, file: str, text: str, *, framework: str, bars: list[dict[str, Any]]
    ) -> None:
        """That version is declared, and its evaluation saves `text` as `file`."""
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "data": {file: text}}
        given = yaml.safe_dump(obj | {"metadata": {"name": name_of(file)}})
        self._place.kubectl("-n", self._place.namespace, "apply", "-f", "-", given=given)
        own = self._place.model.manifest(version)["spec"]["evaluation"]
        changed = saves(own, file, framework=framework, bars=bars)
        self._place.model.apply(version, {"evaluation": changed})

    def records(self, version: str) -> list[dict[str, str]]:
        """The records of that version's finished evaluations, oldest first."""
        chosen = f"merit.dev/name={NAME},merit.dev/stage=evaluation"
        namespace = ("-n", self._place.namespace)
        found = self._place.kubectl.json(*namespace, "get", "configmaps", "--selector", chosen)
        records = [dict(item["data"]) for item in found["items"]]
        return sorted((r for r in records if r["version"] == version), key=lambda r: r["at"])
