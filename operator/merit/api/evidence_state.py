"""Evidence as `status` keeps it between two passes: where the sequential tests of `stats` go on.

Numbers are decimal strings, several of them in one string with spaces between, so that nothing is
lost on the way through JSON. A status may come from another version of the operator: what does not
fit these models is read as no evidence, which costs time and never a verdict.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WithJsonSchema
from pydantic.functional_validators import WrapValidator

from merit.api.fields import Reported

Number = Annotated[str, Field(pattern=r"^-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?$")]
Instant = Annotated[
    str, Field(pattern=r"^(\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,6})?Z)?$")
]


class EProcessStates(Reported):
    """The e-processes of one signal that show a candidate to be worse, and stable's own."""

    relative: str
    bar: str
    guard: str
    stable: str


class SignalState(Reported):
    """The evidence of one signal. `canary`, `stable`: requests and bad ones of either revision."""

    name: str
    phi: Number
    patience: Number
    canary: str
    stable: str
    below: Number
    stable_rate: str
    worse: EProcessStates
    proven: str


class FlowState(Reported):
    """What is known of the traffic. `quiet`: seconds without a request of the candidate."""

    rps: Number
    n: Number
    seconds: Number
    quiet: Number
    looks: int


class EarlyFailureState(Reported):
    """What the rule about a candidate that fails from its first request on has counted."""

    seconds: Number
    n: Number
    bad: Number


class AnalysisState(Reported):
    """The evidence about one revision beside another.

    `scrape`: seconds between two samples; `consumed_until`: in Prometheus' time; `evidence`: the
    combined log e-value; `proof_of`: the steps and the blast radius that every `proven` is about,
    empty if an older version wrote it.
    """

    source: str
    scrape: Number
    proof_of: str = ""
    consumed_until: Instant
    evidence: Number
    confidence: str
    flow: FlowState
    dead: EarlyFailureState
    signals: tuple[SignalState, ...]


class ScoreState(Reported):
    """The Shiryaev-Roberts statistic of one bar of what serves."""

    name: str
    logs: str
    n: Number
    bad: Number


class WatchState(Reported):
    """The evidence about what serves.

    `of`: the key of the revision; `phi`: the dispersion of its signals as its rollout measured it.
    `signals` is None until the first pass after the promotion.
    """

    of: str
    phi: dict[str, Number]
    consumed_until: Instant | None = None
    signals: tuple[ScoreState, ...] | None = None


def _or_nothing(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


# The schema of the CRD stays open, or the API server would refuse what another version has written.
_LENIENT = (
    WrapValidator(_or_nothing),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
)
KeptAnalysis = Annotated[AnalysisState | None, *_LENIENT]
KeptWatch = Annotated[WatchState | None, *_LENIENT]
