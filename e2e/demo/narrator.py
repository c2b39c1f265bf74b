"""What the demo shows: the line of `kubectl get` as it changes, and why each decision was taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from e2e.demo.kubectl import DemoError, Kubectl, wait_for
from e2e.demo.model import NAME, NAMESPACE, Model, Object, condition, now
from e2e.demo.output import heading, say

OFTEN = 15  # seconds between two lines that differ in numbers only
WIDTH = len("demo-watch")


class Narrator(Model):
    """Applies versions of one object and tells what becomes of them, each line with its namespace.

    `namespace`, `host`: as of Model.
    """

    def __init__(
        self, kubectl: Kubectl, manifest: Callable[[str], str], *, namespace: str, host: str
    ) -> None:
        super().__init__(kubectl, manifest, namespace=namespace, host=host)
        self._line: tuple[object, ...] = ()
        self._told: set[tuple[str, str]] = set()
        self._header = True
        self._at = 0.0

    def apply(self, version: str, changes: Mapping[str, Any] | None = None) -> str:
        """As Model, with the command and its answer shown."""
        here = "" if self.namespace == NAMESPACE else f"  # with namespace: {self.namespace}"
        self.say(f"$ kubectl apply -f examples/{version}.yaml{here}")
        said = super().apply(version, changes)
        self.say(said)
        self._header = True
        return said

    def say(self, text: str) -> None:
        """One line of this narrator."""
        say(f"   {self.namespace:{WIDTH}} {text}")

    def heading(self, text: str) -> None:
        """A new part of this narrator."""
        heading(f"{self.namespace}: {text}")

    def report(self, text: str) -> None:
        """A fact that was checked."""
        self.say(f"ok: {text}")

    def seen(self) -> Object:
        """The object as it is now; its line is printed if it changed."""
        found = super().seen()
        self._narrate(found)
        return found

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
                return self._started(version, now(seen))
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
                self.say(f"decided: {decision['what']}{why}")
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
        table = self.kubectl("-n", self.namespace, "get", "mdep", NAME).splitlines()
        for row in table if self._header else table[1:]:
            self.say(row)
        self._line, self._at, self._header = (*line, numbers), time.monotonic(), False
