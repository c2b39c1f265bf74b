"""A verdict is never a bool: Good, Bad, Undecided or NoData, each with its reason and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["Good", "Bad", "Undecided", "NoData"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is one of `api.reasons`; `message` one line with value, bar and samples."""

    kind: Kind
    reason: str
    message: str
