"""Parts of `status` that the watch writes: alarm, comparison, drift, retraining."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merit.api.base import Told


class Alarm(Told):
    """What serves is outside a bar, beyond chance; a comparison has still to confirm it."""

    signal: str
    reason: str
    message: str
    at: str
    held: str = Field(
        default="", description="Why nothing is rolled back for it, as a reason; empty: it is."
    )
    why: str = Field(default="", description="The same in words.")


class Verifying(Told):
    """The predecessor serves beside what is live again, so that the two can be compared.

    Times: `began` is the alarm's, `since` the stage's. Nothing is rejected by it yet.
    """

    revision: str = Field(description="The predecessor that is compared with.")
    short: str
    policy: str
    version: str
    promoted_at: str
    stage: Literal["Starting", "Comparing"] = "Starting"
    weight: int = Field(default=0, description="Percent of traffic that the predecessor has.")
    floor: int = Field(default=0, description="Pods that what is live keeps meanwhile.")
    began: str
    since: str
    analysis: dict[str, Any] | None = None


class DriftState(Told):
    """The frozen baseline of one drift of one revision, and what was seen against it."""

    name: str
    short: str
    baseline: Literal["Reference", "BurnIn"] = Field(
        description="From the evaluation report, or the revision's own beginning."
    )
    histogram: dict[str, Any] = Field(default_factory=dict)
    beyond: int = Field(default=0, description="Windows in a row beyond the mark.")
    last: str = Field(default="", description="When the newest window ended.")


class Retraining(Told):
    """The last run of spec.retrain. On record before its Job is made, so that it is made once."""

    run: int = Field(description="Which one it is, from 1.")
    job: str
    signal: str
    why: str = Field(default="", description="What the signal said, with its numbers.")
    since: str = Field(default="", description="Begin of the data window that the Job is told.")
    until: str = Field(default="", description="Its end.")
    at: str = Field(description="When it was decided.")
    outcome: Literal["Starting", "Running", "Succeeded", "Failed", "Cancelled"]
    reason: str = ""
    message: str = ""
    ended: str = ""
    begun: tuple[str, ...] = Field(
        default=(), description="When the last runs were decided, newest first."
    )
