"""The repository of one test's namespace: brought up, looked into, and what was trained for it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import yaml

from e2e.demo.kubectl import Kubectl
from e2e.demo.model import NAME, Object
from e2e.suite.workspace import Workspace

MANIFESTS = Path(__file__).parents[1] / "gitops" / "gitops.yaml"
FILE = "fraud.yaml"


class GitOps:
    """Git alone declares the model here."""

    def __init__(self, kubectl: Kubectl, workspace: Workspace) -> None:
        self._kubectl, self._place = kubectl, workspace

    def begin(self, manifest: Object) -> None:
        """The repository with this manifest, its accounts, and who applies it."""
        words = {name: secrets.token_hex(16) for name in ("reader", "trainer")}
        self._apply({"kind": "ConfigMap", "data": {FILE: yaml.safe_dump(manifest)}}, "models")
        self._apply({"kind": "Secret", "stringData": words}, "git-accounts")
        for name, word in words.items():
            url = f"http://{name}:{word}@git/models.git"
            self._apply({"kind": "Secret", "stringData": {"url": url}}, f"git-{name}")
        text = self._place.fitted(MANIFESTS.read_text())
        self._kubectl("-n", self._place.namespace, "apply", "-f", "-", given=text)
        for name in ("git", "applier"):
            wait = ("rollout", "status", f"deployment/{name}", "--timeout=120s")
            self._kubectl("-n", self._place.namespace, *wait, patience=130)

    def trainings(self) -> list[str]:
        """The training Jobs that there are."""
        names = (job.rpartition("/")[2] for job in self._place.model.jobs())
        return [name for name in names if "-retrain-" in name]

    def log(self, job: str) -> str:
        """What a training printed."""
        return self._kubectl("-n", self._place.namespace, "logs", f"job/{job}")

    def managers(self) -> set[str]:
        """Who owns spec.model of the object."""
        shown = ("get", "mdep", NAME, "--show-managed-fields")
        found = self._kubectl.json("-n", self._place.namespace, *shown)
        return {
            entry["manager"]
            for entry in found["metadata"]["managedFields"]
            if "f:model" in entry.get("fieldsV1", {}).get("f:spec", {})
        }

    def _apply(self, obj: dict[str, Any], name: str) -> None:
        whole = {"apiVersion": "v1", "metadata": {"name": name}, **obj}
        self._kubectl("-n", self._place.namespace, "apply", "-f", "-", given=yaml.safe_dump(whole))
