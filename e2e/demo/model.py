"""One ModelDeployment on a real cluster: what is applied, what is seen of it, and by when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from e2e.demo.kubectl import DemoError, Kubectl, wait_for

NAME = "fraud-scorer"
NAMESPACE = "demo"
HOST = "fraud.example.com"
EXAMPLES = Path(__file__).parents[2] / "examples"

Object = dict[str, Any]


def example(version: str) -> Object:
    """The manifest of a version, as it is in examples/."""
    found: Object = yaml.safe_load((EXAMPLES / f"{version}.yaml").read_text())
    return found


def condition(seen: Object, kind: str) -> Object:
    """The condition of that type, or an empty one."""
    for found in seen.get("status", {}).get("conditions", ()):
        if found["type"] == kind:
            return dict(found)
    return {}


def phase(seen: Object) -> str:
    """`status.phase`."""
    return str(seen.get("status", {}).get("phase", ""))


def stable(seen: Object) -> str:
    """The version of the stable revision."""
    return str(seen.get("status", {}).get("stable", {}).get("version", ""))


def weight(seen: Object) -> int:
    """The candidate's percentage, 0 without one."""
    return int(seen.get("status", {}).get("candidate", {}).get("weight", 0))


def now(seen: Object) -> str:
    """Where it stands, for a sentence about what did not happen."""
    status = seen.get("status", {})
    if not status:
        return "the operator has written no status"
    return f"it is {status.get('phase')}: {status.get('summary', 'no summary')}"


class Model:
    """The object `fraud-scorer` of one namespace, served under `host`.

    `manifest` makes a file's text fit the cluster (names of images).
    """

    def __init__(
        self,
        kubectl: Kubectl,
        manifest: Callable[[str], str],
        *,
        namespace: str = NAMESPACE,
        host: str = HOST,
    ) -> None:
        self.kubectl, self.namespace, self.host = kubectl, namespace, host
        self._manifest = manifest

    def apply(self, version: str, changes: Mapping[str, Any] | None = None) -> str:
        """kubectl apply of examples/VERSION.yaml; `changes` maps paths below spec to values."""
        found = self.manifest(version, changes)
        if "feasibility" in found["spec"]:  # what its load test sends
            self.kubectl("-n", self.namespace, "apply", "-f", str(EXAMPLES / "requests.yaml"))
        return self.kubectl("apply", "-f", "-", given=yaml.safe_dump(found)).strip()

    def manifest(self, version: str, changes: Mapping[str, Any] | None = None) -> Object:
        """What `apply` would apply."""
        found: Object = yaml.safe_load(self._manifest((EXAMPLES / f"{version}.yaml").read_text()))
        found["metadata"]["namespace"] = self.namespace
        found["spec"]["rollout"]["route"]["gateway"]["hostnames"] = [self.host]
        for path, value in (changes or {}).items():
            _put(found["spec"], path, value)
        return found

    def seen(self) -> Object:
        """The object as it is now."""
        return self.kubectl.json("-n", self.namespace, "get", "mdep", NAME)

    def until(
        self,
        what: str,
        seconds: float,
        done: Callable[[Object], bool],
        never: Callable[[Object], bool] = lambda seen: False,
    ) -> Object:
        """The object once it is `done`; DemoError when it is `never`, or after `seconds`.

        Neither is asked before the operator has seen the newest spec.
        """

        newest: Object = {}
        wrong: Object = {}

        def look() -> Object | None:
            nonlocal newest, wrong
            newest = self.seen()
            current = newest["metadata"]["generation"]
            if newest.get("status", {}).get("observedGeneration") != current:
                return None
            if never(newest):
                wrong = newest
            return newest if wrong or done(newest) else None

        try:
            found = wait_for(what, seconds, look)
        except DemoError as error:
            raise DemoError(f"{error}; {now(newest)}") from error
        if wrong:
            raise DemoError(f"{what} will not happen: {now(wrong)}")
        return found

    def jobs(self) -> set[str]:
        """The Jobs of gates that exist."""
        found = self.kubectl("-n", self.namespace, "get", "jobs", "--output=name")
        return set(found.split())

    def events(self) -> list[tuple[str, str]]:
        """Reason and message of every Event about it."""
        found = self.kubectl.json(
            *("-n", self.namespace, "get", "events"),
            f"--field-selector=involvedObject.name={NAME}",
        )
        return [(event["reason"], event["message"]) for event in found["items"]]


def _put(spec: Object, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    at = spec
    for part in parents:
        at = at.setdefault(part, {})
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
