"""What a decision may ask for. Effects are data; the reconciler carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from merit.api.status import Status
from merit.api.watched import Retraining


@dataclass(frozen=True, slots=True)
class Accept:
    """Record the declared spec as an immutable ControllerRevision, after a strict dry-run."""


@dataclass(frozen=True, slots=True)
class EnsureArm:
    """Deployment and Service of a revision stand as its record says.

    `replicas`: so many, through scale; None: an autoscaler decides, within `scaling`. Without
    `scaling` there is none. `budget`: a disruption budget stands before the pods.
    """

    key: str
    replicas: int | None
    scaling: tuple[int, int] | None = None
    budget: bool = False

    @property
    def short(self) -> str:
        """The revision's 8 characters."""
        return self.key.partition("-")[0]


@dataclass(frozen=True, slots=True)
class RemoveArm:
    """Delete all that a revision has; only when it has no traffic and is not kept."""

    short: str


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """The route and the Service `<name>`. Decisive.

    `weights`: percent per revision's 8 characters, adding up to 100; arms without weight are not
    named. `key` names the accepted spec whose route is rendered. `check_ready` lists arms whose
    ready endpoints are read afresh from the API server before the write, which is given up if one
    has none: a weight is never raised on a stale view. `announced`: revisions without a share that
    the gateway is to know; None: those that it knows now.
    """

    weights: Mapping[str, int]
    key: str
    serves: str
    check_ready: tuple[str, ...] = ()
    announced: frozenset[str] | None = None

    @property
    def raises(self) -> bool:
        """Whether a share rises that is not of what serves: going back only has to be ready."""
        return bool(set(self.check_ready) - {self.serves})


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    """Delete the route: an older object has what it claims. Decisive."""


@dataclass(frozen=True, slots=True)
class Divert:
    """The Service of a revision leads to another's pods: traffic goes back though no route moves.

    `to`: key of the accepted spec whose pods serve instead.
    """

    short: str
    to: str


@dataclass(frozen=True, slots=True)
class RunJob:
    """Start the gate's Job of that name, unless it exists."""

    key: str
    stage: str
    name: str
    nonce: str
    stable_key: str = ""


@dataclass(frozen=True, slots=True)
class Retrain:
    """Make the Job of this run, unless it exists. The run is on record already."""

    run: Retraining


@dataclass(frozen=True, slots=True)
class RemoveJob:
    """Delete a Job whose verdict is on record."""

    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write the immutable record of a finished stage run. Its Job goes in a later pass."""

    name: str
    job: str
    content: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete an accepted spec or a record that nothing refers to any more."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class WritePin:
    """Apply `spec.rollback`, all of it. Decisive."""

    pin: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClearPin:
    """Remove `spec.rollback`: Git has moved on, or the verdict was taken back. Decisive."""


@dataclass(frozen=True, slots=True)
class WriteLedger:
    """Write the ConfigMap `<name>-ledger`; after traffic has moved, may fail without harm."""

    content: Mapping[str, str]


Action = (
    Accept
    | EnsureArm
    | RemoveArm
    | SetTraffic
    | Divert
    | RemoveRoute
    | RunJob
    | Retrain
    | Record
    | RemoveJob
    | Forget
    | WritePin
    | ClearPin
    | WriteLedger
)


@dataclass(frozen=True, slots=True)
class Note:
    """An Event, on a transition only. `warning` tells its type."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one pass.

    `status`: as it should stand. `actions` come first, status after them. `decisive_status`: the
    status itself is this pass's decisive write (a verdict, a step, the ledger); `actions` then hold
    nothing decisive, and the next pass follows at once. `fallback`: what to do if that status
    cannot be written within 2 s (a rollback moves traffic all the same). `again`: seconds until
    the next look without an event; None means events alone. `urgent`: belongs in the safety lane.
    `scored`: it takes traffic from a revision, or begins to, on scores alone: the circuit breaker
    may hold it while the whole fleet turns bad.
    """

    status: Status
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    decisive_status: bool = False
    fallback: SetTraffic | None = None
    again: float | None = None
    urgent: bool = False
    scored: bool = False
