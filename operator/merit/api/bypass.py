"""`spec.bypass`: the emergency exit. Declared, loud, recorded, and over by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merit.api.base import Model
from merit.api.fields import Moment, Text

LONGEST = 24 * 3600.0  # seconds ahead at most, when it is first seen


class Bypass(Model):
    """Stages that are skipped until it is over. Nothing skips the watch."""

    stages: Annotated[
        tuple[Literal["Evaluation", "Feasibility", "Rollout"], ...],
        Field(min_length=1, max_length=3),
    ] = Field(description="What is skipped. Required, at least one.")
    reason: Text = Field(description="Why: an incident, a name. Required.")
    expires: Moment = Field(
        description="When it is over, in RFC 3339, as 2026-11-24T00:00:00Z; at most 24h after it "
        "is first seen, or nothing is skipped. Required."
    )
