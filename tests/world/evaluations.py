"""Gate 1: how evaluations end. A version has a list of endings; the last one repeats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.world.merge import Object

RECALL: dict[str, float] = {"inaccurate": 0.41}


@dataclass(frozen=True)
class Ending:
    """How one evaluation Job ends.

    `parts`: further fields of a good report. `message`: the termination message instead of a good
    report. `image_missing`: the image cannot be pulled, so the Job never ends. `pod_kept`: whether
    the pod still exists after the end. `stuck`: a queue has suspended the Job ("Suspended"), or its
    pods are refused ("NoPod").
    """

    parts: Mapping[str, Any] | None = None
    message: str | None = None
    exit_code: int = 0
    reason: str = "Completed"
    image_missing: bool = False
    pod_kept: bool = True
    stuck: str = ""

    def terminated(self, job: Object, at: str) -> Object:
        """The `terminated` state of the evaluator's container."""
        message = report(job, self.parts or {}) if self.message is None else self.message
        state = {"exitCode": self.exit_code, "reason": self.reason, "message": message}
        return state | {"finishedAt": at}

    def conditions(self) -> list[Object]:
        """The conditions of the Job."""
        if self.exit_code == 0:
            kinds = ("SuccessCriteriaMet", "Complete")
            return [{"type": kind, "status": "True"} for kind in kinds]
        reason = {"reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
        return [{"type": "Failed", "status": "True"} | reason]


REPORT_LOST = Ending(pod_kept=False)
MALFORMED = Ending(message="Traceback (most recent call last)")
OOM_KILLED = Ending(message="", exit_code=137, reason="OOMKilled")
NO_IMAGE = Ending(image_missing=True)
BY_VERSION: Mapping[str, Sequence[Ending]] = {"flaky": (OOM_KILLED, Ending())}


def report(job: Object, parts: Mapping[str, Any]) -> str:
    """A good report with the nonce and revision of its run, and `parts` on top."""
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
    """The value of an environment variable in the first container that has it, or ""."""
    for container in template["spec"]["containers"]:
        for entry in container.get("env", []):
            if entry["name"] == name:
                return str(entry.get("value", ""))
    return ""
