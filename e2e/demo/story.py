"""One object's story: its line of `kubectl get` as it changes, and why each decision was taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from e2e.demo.kubectl import DemoError, Kubectl, wait_for
from e2e.demo.words import say

NAME = "fraud-scorer"
NAMESPACE = "demo"
EXAMPLES = Path(__file__).parents[2] / "examples"
OFTEN = 15  # seconds between two lines that differ in numbers only

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


class Story:
    """Applies versions of the one object and tells what becomes of them."""

    def __init__(self, kubectl: Kubectl, manifest: Callable[[str], str]) -> None:
        """`manifest` makes a file's text fit this cluster (names of images)."""
        self._kubectl = kubectl
        self._manifest = manifest
        self._line: tuple[object, ...] = ()
        self._told: set[tuple[str, str]] = set()
        self._header = True
        self._at = 0.0

    def apply(self, version: str) -> None:
        """kubectl apply of examples/VERSION.yaml."""
        say(f"   $ kubectl apply -f examples/{version}.yaml")
        text = self._manifest((EXAMPLES / f"{version}.yaml").read_text())
        said = self._kubectl("apply", "-f", "-", given=text)
        say(f"   {said.strip()}")
        self._header = True

    def seen(self) -> Object:
        """The object as it is now; its line is printed if it changed."""
        found = self._kubectl.json("-n", NAMESPACE, "get", "mdep", NAME)
        self._narrate(found)
        return found

    def until(
        self,
        what: str,
        seconds: float,
        done: Callable[[Object], bool],
        never: Callable[[Object], bool],
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
            raise DemoError(f"{error}; {_now(newest)}") from error
        if wrong:
            raise DemoError(f"{what} will not happen: {_now(wrong)}")
        return found

    def jobs(self) -> set[str]:
        """The evaluation Jobs that exist."""
        found = self._kubectl("-n", NAMESPACE, "get", "jobs", "--output=name")
        return set(found.split())

    def starts_nothing(self, version: str, seconds: float) -> None:
        """Apply it again and look on for `seconds`: no new Job, no decision, the same phase."""
        before, status = self.jobs(), self.seen()["status"]
        known = (status["phase"], status.get("decisions"))
        self.apply(version)
        end = time.monotonic() + seconds

        def look() -> bool | None:
            seen = self.seen()
            if extra := self.jobs() - before:
                return self._started(version, ", ".join(sorted(extra)))
            status = seen["status"]
            if status.get("candidate") or (status["phase"], status.get("decisions")) != known:
                return self._started(version, _now(seen))
            return True if time.monotonic() >= end else None

        if not wait_for("a look at a second apply", seconds + 30, look):
            raise DemoError(self._trouble)

    _trouble = ""

    def _started(self, version: str, what: str) -> bool:
        self._trouble = f"a second apply of {version} started something: {what}"
        return False

    def _narrate(self, seen: Object) -> None:
        status = seen.get("status", {})
        for decision in reversed(status.get("decisions", ())):
            key = (decision["at"], decision["what"])
            if key not in self._told:
                self._told.add(key)
                why = f" -- because: {decision['why']}" if decision.get("why") else ""
                say(f"   decided: {decision['what']}{why}")
        line = (
            status.get("phase"),
            status.get("trust"),
            status.get("stable", {}).get("short"),
            status.get("candidate", {}).get("short"),
            condition(seen, "Ready").get("status"),
        )
        numbers = status.get("summary")
        late = time.monotonic() - self._at >= OFTEN
        if not self._header and self._line[:-1] == line and (numbers == self._line[-1] or not late):
            return
        table = self._kubectl("-n", NAMESPACE, "get", "mdep", NAME).splitlines()
        for row in table if self._header else table[1:]:
            say(f"   {row}")
        self._line, self._at, self._header = (*line, numbers), time.monotonic(), False


def _now(seen: Object) -> str:
    status = seen.get("status", {})
    if not status:
        return "the operator has written no status"
    return f"it is {status.get('phase')}: {status.get('summary', 'no summary')}"
