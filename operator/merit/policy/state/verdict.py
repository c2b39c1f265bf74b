"""A verdict is never a bool: Good, Bad, Undecided or NoData, each with its reason and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["Good", "Bad", "Undecided", "NoData"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is one of `api.reasons`; `message` one line with value, bar and samples. `signal`:
    the exact name of the one that it rests on ("latency/p99"), empty if it rests on none.
    """

    kind: Kind
    reason: str
    message: str
    signal: str = ""
