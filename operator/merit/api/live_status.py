"""Parts of `status` about what is live: alarm, comparison, drift, retraining."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merit.api.evidence_state import KeptAnalysis
from merit.api.fields import Reported


class RevisionRef(Reported):
    """Identifies a revision: its content, and the policy that judges it."""

    revision: str = Field(description="h1: and the SHA-256 of the declared model and serving.")
    short: str = Field(description="The first 8 hex digits of the revision, as in object names.")
    policy: str = Field(
        description="8 hex digits of the hash of the bars and settings that judge it."
    )
    version: str = Field(description="spec.model.version, for people.")

    @property
    def key(self) -> str:
        """Key of its accepted spec: `<short>-<policy>`."""
        return f"{self.short}-{self.policy}"


class Alarm(Reported):
    """A signal of what serves is outside its bar, beyond chance. Not yet confirmed."""

    signal: str
    reason: str
    message: str
    at: str
    held: str = Field(
        default="", description="The reason why it leads to no rollback; empty if it may."
    )
    why: str = Field(default="", description="The same as a sentence.")


class Comparison(RevisionRef):
    """The predecessor serves a part of the traffic again, to be compared with what is live.

    `began`: when the alarm began. `since`: when the stage began. Nothing is rejected yet.
    """

    promoted_at: str
    stage: Literal["Starting", "Comparing"] = "Starting"
    weight: int = Field(default=0, description="Percent of traffic of the predecessor.")
    floor: int = Field(default=0, description="Pods that the live revision keeps meanwhile.")
    began: str
    since: str
    analysis: KeptAnalysis = None


class DriftState(Reported):
    """The baseline of one drift of one revision, and the windows that exceeded it."""

    name: str
    short: str
    baseline: Literal["Reference", "BurnIn"] = Field(
        description="From the evaluation report, or from the revision's first samples."
    )
    histogram: dict[str, Any] = Field(default_factory=dict)
    beyond: int = Field(default=0, description="Windows above the threshold, in a row.")
    last: str = Field(default="", description="When the newest window ended.")


class Retraining(Reported):
    """The last run of spec.retrain. Recorded before its Job is created: it is created once."""

    run: int = Field(description="Number of the run, from 1.")
    job: str
    signal: str
    why: str = Field(default="", description="Why it was started, with the numbers of the signal.")
    since: str = Field(default="", description="Start of the data window, as the Job gets it.")
    until: str = Field(default="", description="End of the data window.")
    at: str = Field(description="When it was decided.")
    outcome: Literal["Starting", "Running", "Succeeded", "Failed", "Cancelled"]
    reason: str = ""
    message: str = ""
    ended: str = ""
    begun: tuple[str, ...] = Field(
        default=(), description="When the last runs were decided, newest first."
    )
