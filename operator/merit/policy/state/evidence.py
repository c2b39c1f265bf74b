"""What the evidence says after the newest samples: computed once at the beginning of a pass."""

from __future__ import annotations

from dataclasses import dataclass

from merit.api.evidence_state import AnalysisState
from merit.stats.judging import Proven, Worse
from merit.stats.shiryaev_roberts import Alarm


@dataclass(frozen=True, slots=True)
class RolloutEvidence:
    """About an exposed candidate beside the stable revision, after a sample that is new.

    `bad`: the signals that are bad, the one with the most evidence first. `next_step`: whether the
    next step of the ladder may be entered. `seconds_idle`: since the candidate's last request.
    `scrapes`: those with requests of the candidate since its weight changed. `state`: goes into
    status. `unreadable`: why the evidence in status was not used; it began anew.
    """

    bad: tuple[Worse, ...]
    next_step: Proven
    seconds_idle: float
    scrapes: int
    state: AnalysisState
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class ComparisonEvidence:
    """About what serves beside its predecessor. `shared`: what both fail at, empty if nothing."""

    worse: Worse
    shared: str


@dataclass(frozen=True, slots=True)
class LiveEvidence:
    """About what serves, alone. `alarms`: the bars that are broken beyond chance, the worst first.

    `elevated`: names of the signals whose score has not fallen back far enough to end an alarm.
    """

    alarms: tuple[Alarm, ...] = ()
    elevated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it; a part is None where there is nothing that it could be about, or no new sample."""

    rollout: RolloutEvidence | None = None
    comparison: ComparisonEvidence | None = None
    live: LiveEvidence = LiveEvidence()
