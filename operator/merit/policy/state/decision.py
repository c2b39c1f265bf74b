"""What a decision consists of. Effects are data; the reconciler executes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from merit.api.live_status import Retraining
from merit.api.status import Revision, Status
from merit.policy.state.transitions import with_decision


@dataclass(frozen=True, slots=True)
class Accept:
    """Record the declared spec as an immutable ControllerRevision, after a strict dry-run."""


@dataclass(frozen=True, slots=True)
class EnsureRevision:
    """Apply Deployment and Service of a revision as its record has them.

    `replicas`: so many, through scale; None: an autoscaler decides, within `scaling` (minimum,
    maximum). Without `scaling` there is none. `budget`: the pods have a disruption budget.
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
class RemoveRevision:
    """Delete all objects of a revision; only when it has no traffic and is not kept."""

    short: str


@dataclass(frozen=True, slots=True)
class SetTraffic:
    """The route and the Service `<name>`. Decisive.

    `weights`: percent per revision's 8 characters, adding up to 100; revisions without weight are
    not named. `key` names the accepted spec whose route is rendered; `serves` the revision that
    serves. `check_ready`: revisions whose ready endpoints are read from the API server just before
    the write, which is given up if one has none: a weight is never raised on a stale view.
    `announced`: revisions without a share that the route names; None: those that it names now.
    """

    weights: Mapping[str, int]
    key: str
    serves: str
    check_ready: tuple[str, ...] = ()
    announced: frozenset[str] | None = None

    @property
    def raises(self) -> bool:
        """Whether a share other than that of what serves rises."""
        return bool(set(self.check_ready) - {self.serves})


def all_to(revision: Revision | None) -> SetTraffic | None:
    """All traffic to what serves: what a rollback does even if it cannot be recorded."""
    if revision is None:
        return None
    return SetTraffic(weights={revision.short: 100}, key=revision.key, serves=revision.short)


@dataclass(frozen=True, slots=True)
class Divert:
    """Let the Service of a revision select another's pods: traffic returns without a route.

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
    """Make the Job of this retraining, unless it exists. The run is on record already."""

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
    """Remove `spec.rollback`: new content is declared, or the verdict was lifted. Decisive."""


@dataclass(frozen=True, slots=True)
class WriteLedger:
    """Write the ConfigMap `<name>-ledger`: after traffic has moved, as it may fail."""

    content: Mapping[str, str]


Action = (
    Accept
    | EnsureRevision
    | RemoveRevision
    | SetTraffic
    | Divert
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
    """An Event, on a transition only. `warning`: of type Warning instead of Normal."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one pass.

    `status`: as it should be. `actions` come first, status after them. `decisive_status`: the
    status itself is this pass's decisive write (a verdict, a step, the ledger); `actions` then hold
    nothing decisive, and the next pass follows at once. `fallback`: what to do if that status
    cannot be written within 2 s (a rollback moves traffic all the same). `requeue_after`: seconds
    until the next pass without an event; None means events alone. `urgent`: belongs in the safety
    lane. `scored`: it blames a revision on evidence alone: the circuit breaker may hold that.
    """

    status: Status
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
    decisive_status: bool = False
    fallback: SetTraffic | None = None
    requeue_after: float | None = None
    urgent: bool = False
    scored: bool = False


DROPPED = "dropped from status: "  # how the line in the history of decisions begins


def dropped(status: Status, parts: tuple[str, ...], why: str, now: float) -> Decision:
    """These parts of status are not in it any more. To begin anew costs time, never a verdict."""
    what, why = f"{DROPPED}{', '.join(parts)}", f"cannot be read and begins anew: {why}"
    return decisive(status, what, why, now, Note("StateDropped", f"{what}: {why}", warning=True))


def decisive(
    status: Status,
    what: str,
    why: str,
    now: float,
    *notes: Note,
    actions: tuple[Action, ...] = (),
    fallback: SetTraffic | None = None,
    urgent: bool = False,
) -> Decision:
    """A decision whose status is the decisive write, with one more line in its history."""
    status = with_decision(status, what, why, now)
    return Decision(status, actions, notes, True, fallback, urgent=urgent)
