"""What an analysis answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["Good", "Bad", "Undecided", "NoData"]


@dataclass(frozen=True, slots=True)
class Worse:
    """Whether the candidate is bad. `log_m`: ln of the combined score; `confidence`: 1 - 1/M."""

    bad: bool
    reason: str
    message: str
    log_m: float
    confidence: str


@dataclass(frozen=True, slots=True)
class Proven:
    """Whether a step may be entered; `missing_seconds` is None if it cannot be told."""

    good: bool
    reason: str
    message: str
    missing_seconds: float | None
