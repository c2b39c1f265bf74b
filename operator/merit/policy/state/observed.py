"""What a decision is made from: one immutable view of everything that matters about one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.api.hashing import Identity
from merit.api.live_status import RevisionRef
from merit.api.spec import Pin, Spec
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.loadtest.order import Counter
from merit.policy.state.evidence import Evidence
from merit.policy.state.measurements import Measurements
from merit.policy.state.prices import PriceBook
from merit.stats.terms import Constants


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted spec, as its ControllerRevision recorded it.

    `name`: of the ControllerRevision, `<name>-<rev8>-<pol8>`. `deployment`, `service`: the rendered
    children, applied again as they were recorded, never rendered anew.
    """

    name: str
    identity: Identity
    spec: Spec
    deployment: dict[str, object]
    service: dict[str, object]


@dataclass(frozen=True, slots=True)
class RevisionPods:
    """What Kubernetes reports of one revision's pods, from the informer cache.

    `exists`: its Deployment is there. `in_sync`: Deployment and Service are as recorded. `desired`,
    `ready`: pods; `ready_since`: since when one is, Unix seconds, 0 if unknown. `down`: pods that
    cannot serve by their own fault (crash loop, OOM kill); `looping`: those of them that end again
    and again; `crashed`: those that are down or ended by their own fault lately; `restarts`: the
    most of one pod. `blocked`: what the platform lacks for them, `blocked_by` in one word
    (ImagePull, Unschedulable, QuotaExceeded, Denied). `deadline_exceeded`: a pod had
    progressDeadlineSeconds on a live node and is not ready. `remains`: some object of the revision
    is left, if only its Service. `scaling`: the minimum and maximum of its autoscaler, None without
    one; `budget`: it has a disruption budget. `diverted`: its Service selects other pods.
    """

    short: str
    exists: bool = False
    in_sync: bool = False
    desired: int = 0
    ready: int = 0
    ready_since: float = 0.0
    restarts: int = 0
    down: int = 0
    looping: int = 0
    crashed: int = 0
    blocked: str = ""
    blocked_by: str = ""
    deadline_exceeded: bool = False
    detail: str = ""
    remains: bool = False
    scaling: tuple[int, int] | None = None
    budget: bool = False
    diverted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """What traffic is set to: weight per revision's 8 characters, and the gateway's answer.

    `in_sync`: all its objects are as they were applied. `accepted`: None until a gateway has
    answered; `reason`: its words. `foreign`: the object of that name is somebody else's.
    `announced`: revisions that it names without a share; `known`: since when it names each, Unix
    seconds, as far as this process has seen. `serves`: the stable one, empty if it does not say.
    """

    exists: bool = False
    in_sync: bool = True
    weights: Mapping[str, int] = field(default_factory=dict)
    accepted: bool | None = None
    reason: str = ""
    foreign: bool = False
    announced: frozenset[str] = frozenset()
    known: Mapping[str, float] = field(default_factory=dict)
    serves: str = ""


@dataclass(frozen=True, slots=True)
class JobRun:
    """A gate's Job, and the newest of its pods that ended.

    `podless`: it has no pod. `message`: the termination message of that pod's report container;
    None without a pod that ended. `exit_code`, `reason`: of the container that decided its end.
    `blocked_by`, `blocked`: what a pod that does not start waits for, a word and a sentence.
    `images`: digests that ran. `created`, `started`, `ended`: RFC 3339. `deadline`: seconds from
    its start until Kubernetes ends it, 0 if never.
    """

    name: str
    exists: bool = False
    podless: bool = False
    finished: bool = False
    succeeded: bool = False
    message: str | None = None
    exit_code: int | None = None
    reason: str = ""
    detail: str = ""
    blocked_by: str = ""
    blocked: str = ""
    images: tuple[str, ...] = ()
    created: str = ""
    started: str = ""
    ended: str = ""
    deadline: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """A record: `kind` ControllerRevision (`key` then names the spec) or ConfigMap. `short`: the
    revision that it is about. `created`: RFC 3339.
    """

    kind: str
    name: str
    short: str
    key: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ConfigMap `<name>-ledger`, read when an object without status is first seen."""

    status: Status


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the operator's configuration says for this object.

    `source`: the metrics source in use, empty if the configuration has none; `view`: the one of its
    views that counts this object's requests, the gateway's or the servers'. `per_pod`: it gives
    per-pod counts. `tick`: seconds between two passes while a candidate is exposed; `live_tick`:
    the same for a live revision. `prices`: the price book, None without one. `report_image`:
    Merit's image for reading frameworks' files, `load_image`: that of the load generator; empty if
    not configured. `counters`: the metrics by which the source's preset for servers counts
    requests, best first. `takes_queries`: the source takes users' queries from this namespace.
    `host_access`: users' pods may have access to their node.
    """

    source: str = ""
    view: str = ""
    per_pod: bool = False
    tick: float = 5.0
    live_tick: float = 15.0
    constants: Constants = field(default_factory=Constants)
    prices: PriceBook | None = None
    report_image: str = ""
    load_image: str = ""
    counters: tuple[Counter, ...] = ()
    takes_queries: bool = True
    host_access: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user's object says.

    `spec`: what is declared, or why it cannot be accepted. `identity`: of a valid spec. `refused`:
    why a valid spec cannot be accepted all the same (the API server's strict dry-run refuses a
    child, its route is impossible). `tokens`: values of the annotations merit.dev/approve and so
    on, by verb.
    """

    spec: Spec | Invalid
    identity: Identity | None
    refused: Invalid | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> Invalid | None:
        """What is wrong with the declared spec, by our rules or by the API server's."""
        return self.spec if isinstance(self.spec, Invalid) else self.refused


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the operator wrote down earlier.

    `accepted`: recorded specs by `<rev8>-<pol8>`. `entries`: all records that exist.
    `evaluation`: the stable revision's evaluation on record, read when a verdict compares with it.
    """

    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    entries: tuple[RecordEntry, ...] = ()
    ledger: Ledger | None = None
    ledger_in_sync: bool = True
    evaluation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedPin:
    """`spec.rollback` as it is now.

    `is_ours`: field manager `merit` owns it. `is_foreign`: another field manager does. `losses`:
    when it had to be written again, Unix seconds.
    """

    value: Pin | None = None
    is_ours: bool = True
    is_foreign: bool = False
    losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Jobs:
    """The object's Jobs.

    `awaited`: the gate's Job that is waited for now. `names`: all of them; `ended`: those whose
    pods have all ended. `training`: the Job of the last retraining; `training_problem`: why it
    could not be made just now, a reason and a sentence.
    """

    awaited: JobRun | None = None
    names: tuple[str, ...] = ()
    ended: frozenset[str] = frozenset()
    training: JobRun | None = None
    training_problem: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests reach the pods.

    `refused`: why the weights cannot be set, empty if they can. `conflict`: who else owns a needed
    name. `contested`: whose route has what the declared one claims. `edited`: which child others
    edit again and again. `idle`: per leaving revision, whether the gateway sends it nothing more.
    """

    route: Route = Route()
    refused: str = ""
    conflict: str = ""
    contested: str = ""
    idle: Mapping[str, bool] = field(default_factory=dict)
    edited: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything `decide` may look at. No field is fetched later; no clock is read.

    `pods`: by a revision's 8 characters. `incident`: the incident of the fleet, in words, if there
    is one; `counting`: that is not known yet. `undelivered`: why alerts about this object do not
    arrive. `failed`: the exception that ended this pass or the last. `refused_writes`: why the API
    server refuses an action, by type. `unread`: parts of status that were not readable.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    declared: Declared
    status: Status
    seen_before: bool
    deleting: bool = False
    recorded: Recorded = Recorded()
    pin: ObservedPin = ObservedPin()
    pods: Mapping[str, RevisionPods] = field(default_factory=dict)
    jobs: Jobs = Jobs()
    traffic: Traffic = Traffic()
    measurements: Measurements = field(default_factory=Measurements)
    incident: str = ""
    counting: bool = False
    undelivered: str = ""
    failed: str = ""
    refused_writes: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    tuning: Tuning = Tuning()
    evidence: Evidence = field(default_factory=Evidence)

    def record(self, revision: RevisionRef | None) -> Accepted | None:
        """The accepted spec of a revision; None without one, or if its record is not known."""
        return self.recorded.accepted.get(revision.key) if revision is not None else None

    def pods_of(self, short: str) -> RevisionPods:
        """What Kubernetes says of the pods of that revision; without any, a revision of no pods."""
        return self.pods.get(short) or RevisionPods(short)

    @property
    def halted(self) -> bool:
        """Whether nothing may go forward: `spec.paused`, or a failed pass."""
        return self.paused or bool(self.failed)

    @property
    def paused(self) -> bool:
        """Whether `spec.paused` holds every step forward."""
        return isinstance(self.declared.spec, Spec) and self.declared.spec.paused
