"""The client's own count of answers, as the traffic pod prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.demo.kubectl import DemoError, Kubectl, wait_for
from e2e.demo.model import HOST, NAMESPACE

MANIFEST = Path(__file__).parents[1] / "traffic" / "traffic.yaml"
SETTLED = 200  # answers: five seconds of the demo's traffic
TRIES = 6
RATE = 40  # requests per second that the manifest asks for


@dataclass(frozen=True, slots=True)
class Answers:
    """Totals since the traffic pod started; an answer may be slow and failed.

    `versions` counts by `VERSION/ok` and `/failed`.
    """

    total: int
    failed: int
    slow: int
    versions: Mapping[str, int]
    last_error: str = ""

    def of(self, version: str) -> tuple[int, int]:
        """Answers of this version: ok, failed."""
        return self.versions.get(f"{version}/ok", 0), self.versions.get(f"{version}/failed", 0)


class Client:
    """The traffic pod, looked at through its log."""

    def __init__(self, kubectl: Kubectl, namespace: str, name: str = "traffic") -> None:
        self._kubectl = kubectl
        self._namespace, self._name = namespace, name
        self._seen = 0

    def start(
        self, manifest: str, *, host: str = HOST, rate: int = RATE, options: Sequence[str] = ()
    ) -> Answers:
        """Start the traffic and wait until it flows without a failure.

        Those who come with payments that fail (`options`) are waited for until they have an answer.
        `manifest`: e2e/traffic/traffic.yaml; `host`: asked for; `rate`: requests per second;
        `options`: more of `python -m e2e.traffic`.
        """
        manifest = manifest.replace(f"namespace: {NAMESPACE}\n", f"namespace: {self._namespace}\n")
        manifest = manifest.replace(f"name: {NAMESPACE}\n", f"name: {self._namespace}\n")
        manifest = manifest.replace("name: traffic\n", f"name: {self._name}\n")
        manifest = manifest.replace("app: traffic}", f"app: {self._name}}}")
        manifest = manifest.replace(f"--host={HOST}", f"--host={host}")
        more = "".join(f"\n        - {option}" for option in options)
        manifest = manifest.replace(f"--rate={RATE}", f"--rate={rate}{more}")
        self._kubectl("apply", "-f", "-", given=manifest)
        first = wait_for("an answer to the client", 120, self._read)
        if any(option.startswith("--spoiled") for option in options):
            return first
        for _ in range(TRIES):
            # A gateway may need a moment for its first route; what is counted starts after it.
            settled = self.after(first, SETTLED)
            if settled.failed == first.failed:
                return settled
            first = settled
        raise DemoError(f"requests go on failing before any change: {first.last_error!r}")

    def now(self) -> Answers:
        """The newest totals; the pod prints them every two seconds."""
        return wait_for("a line of the client", 30, self._read)

    def after(self, start: Answers, answers: int) -> Answers:
        """The totals once so many more answers have come."""

        def look() -> Answers | None:
            found = self._read()
            return found if found and found.total >= start.total + answers else None

        return wait_for(f"{answers} more answers to the client", 60, look)

    def _read(self) -> Answers | None:
        lines = self._kubectl(
            "-n", self._namespace, "logs", f"deployment/{self._name}", "--tail=1"
        ).splitlines()
        try:
            said = json.loads(lines[-1])
        except (IndexError, ValueError):
            return None
        found = Answers(
            said["total"], said["failed"], said["slow"], said["versions"], said["lastError"]
        )
        if found.total < self._seen:
            raise DemoError("the traffic pod started again, so its count is not whole")
        self._seen = found.total
        return found if found.total else None
