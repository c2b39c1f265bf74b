"""How evaluations end in the world: per version one ending after the other, the last for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.world.merge import Object

RECALL: dict[str, float] = {"inaccurate": 0.41}


@dataclass(frozen=True)
class Ending:
    """`message`: what is left for the kubelet; None for a good report. `parts`: more of a report.

    `waits`: the image cannot be pulled, and the Job never ends. `pod`: whether it is still there.
    """

    parts: Mapping[str, Any] | None = None
    message: str | None = None
    exit_code: int = 0
    reason: str = "Completed"
    waits: bool = False
    pod: bool = True

    def terminated(self, job: Object, at: str) -> Object:
        """The state of the evaluator's container."""
        message = report(job, self.parts or {}) if self.message is None else self.message
        told = {"exitCode": self.exit_code, "reason": self.reason, "message": message}
        return told | {"finishedAt": at}

    def conditions(self) -> list[Object]:
        """Of the Job."""
        if self.exit_code == 0:
            kinds = ("SuccessCriteriaMet", "Complete")
            return [{"type": kind, "status": "True"} for kind in kinds]
        reason = {"reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
        return [{"type": "Failed", "status": "True"} | reason]


LOST = Ending(pod=False)
GARBAGE = Ending(message="Traceback (most recent call last)")
KILLED = Ending(message="", exit_code=137, reason="OOMKilled")
NO_IMAGE = Ending(waits=True)
KNOWN: Mapping[str, Sequence[Ending]] = {"flaky": (KILLED, Ending())}  # unless a test says else


def report(job: Object, parts: Mapping[str, Any]) -> str:
    """A report bound to its run."""
    template = job["spec"]["template"]
    recall = RECALL.get(env(template, "MERIT_MODEL_VERSION"), 0.9)
    return json.dumps(
        {
            "schema": "merit.dev/report/v1",
            "revision": env(template, "MERIT_REVISION"),
            "nonce": env(template, "MERIT_NONCE"),
            "dataset": {"name": "holdout", "digest": "sha256:c4"},
            "metrics": {"recall": {"v": recall, "n": 5000}},
            **parts,
        }
    )


def env(template: Mapping[str, Any], name: str) -> str:
    """An environment variable of the first container that has it."""
    for container in template["spec"]["containers"]:
        for entry in container.get("env", []):
            if entry["name"] == name:
                return str(entry.get("value", ""))
    return ""
