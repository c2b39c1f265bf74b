"""What a decision is made from: one immutable view of everything that matters about one object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from merit.api.hashing import Identity
from merit.api.spec import Pin, Spec
from merit.api.status import Status
from merit.api.validation import Invalid
from merit.evidence.analysis import Analysis
from merit.evidence.bins import Histogram
from merit.evidence.constants import Constants
from merit.evidence.cost import PriceBook
from merit.evidence.counts import NoSample, Sample
from merit.evidence.load_order import Counter
from merit.evidence.monitor import Monitor


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted spec, as its ControllerRevision recorded it.

    `name`: of the ControllerRevision, `<name>-<rev8>-<pol8>`. `serving` are the rendered children
    (Deployment, Service), re-applied as they were recorded, never rendered anew.
    """

    name: str
    identity: Identity
    spec: Spec
    deployment: dict[str, object]
    service: dict[str, object]


@dataclass(frozen=True, slots=True)
class Arm:
    """What Kubernetes says of one revision's pods, from the cache.

    `exists`: its Deployment is there. `desired`, `ready`: pods; `ready_since`: since when one of
    those has been ready, Unix seconds, 0 if unknown. `down` counts pods that can serve
    nobody by their own fault (crash loop, OOM kill), `looping` those of them that end again and
    again; `crashed` those that are down or ended by their own fault before; `blocked` says what
    the platform lacks for them, `blocked_by` in one word (ImagePull, Unschedulable, QuotaExceeded,
    Denied). `in_sync`: both objects stand as recorded. `deadline_exceeded`: a pod had all of
    progressDeadlineSeconds on a node that lives, and is not ready. `remains`: something of it is
    there, be it only its Service. `scaling`: the least and the most pods of its autoscaler, None if
    it has none; `budget`: a disruption budget stands before its pods. `diverted`: its Service leads
    to the pods of another revision.
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
    image_digests: tuple[str, ...] = ()
    remains: bool = False
    scaling: tuple[int, int] | None = None
    budget: bool = False
    diverted: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """What traffic is set to: weight per revision's 8 characters, and what was said of it.

    `in_sync`: all its objects stand as they were applied. `accepted`: None until a gateway has
    answered. `contested`: what stands claims what an older object has. `announced`: revisions that
    are named without a share; `known`: since when each is named, Unix seconds, as far as this
    process knows.
    """

    exists: bool = False
    in_sync: bool = True
    weights: Mapping[str, int] = field(default_factory=dict)
    accepted: bool | None = None
    reason: str = ""
    foreign: bool = False
    contested: bool = False
    announced: frozenset[str] = frozenset()
    known: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobRun:
    """A gate's Job, and the newest of its pods that ended.

    `message`: what that pod's report container left for the kubelet; None without such a pod.
    `exit_code`, `reason`: of the container that decided its end. `blocked_by`, `blocked`: what a
    pod that does not start waits for, a word and a sentence. `images`: digests that ran.
    `created`, `started`, `ended`: RFC 3339. `deadline`: seconds from its beginning until it is
    given up, 0 if it never is.
    """

    name: str
    exists: bool = False
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
class Filed:
    """A record: `kind` ControllerRevision (`key` then names the spec) or ConfigMap. `short`: the
    revision that it is about. `created`: RFC 3339.
    """

    kind: str
    name: str
    short: str
    key: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A live signal over the last minute: `share` of bad requests among `n`, `value` for people."""

    share: float
    n: int
    value: str


Readings = tuple[tuple[float, float], ...] | NoSample
"""A query's newest values, oldest first: (Unix seconds of Prometheus, value)."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What one revision's servers told: `windows` maps seconds before `at` to a histogram."""

    at: float
    windows: Mapping[float, Histogram]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms in the same minutes, and ln of the score that they differ."""

    candidate: Histogram
    stable: Histogram
    log_e: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ConfigMap `<name>-ledger`, read when an object without status is first seen."""

    status: Status


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the operator's configuration says for this object.

    `source`: the metrics source in use, empty if the configuration has none; `view`: of its views
    the one that counts this object's requests, the gateway's or the servers'. `per_pod`: it gives
    per-pod counts. `tick`: seconds between two looks while a candidate is exposed. `live_tick`: the
    same for a live revision. `prices`: the price book, None if there is none.
    `report_image`: Merit's image for reading frameworks' files, `load_image`: the one of the load
    generator; empty if nobody named one. `counters`: what the source's preset for servers says that
    they count requests by, best first.
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


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything `decide` may look at. No field is fetched later; no clock is read.

    `spec` is what is declared, or why it cannot be accepted; `accepted` maps `<rev8>-<pol8>` to the
    recorded specs; `sample` is the newest look at Prometheus, None when nothing needs one, `live`
    the same of the stable revision alone, `probe` of stable (as candidate) and its predecessor;
    `dispersion` is phi per signal, as far as stable's own pods tell it, read before a rollout;
    `evidence` is what `decide` makes of a new look, once a pass; None if there is no new one;
    `monitor` the watch over what serves, after that look;
    `incident`: what the whole fleet suffers from, empty if nothing; `idle` tells for each leaving
    arm whether the gateway sends it nothing any more;
    `pin_is_ours`: field manager `merit` applied it; `pin_is_foreign`: another applier owns it.
    `measuring` while that is being read. `readings` are of users' queries by signal;
    `distributions` of what serves, `pairs` of both arms, by name of the drift; `replicas` maps a
    revision's 8 characters to its mean number of pods over half an hour. `warnings`:
    reason and sentence for each bound that is no bucket edge. `refused`: why a spec that is
    valid in itself cannot be had: the API server's own sentence about a child, from a strict
    dry-run, or a route that cannot be. `contested`: who has what the declared route claims.
    `serving_record`: the stable revision's evaluation on record, read when a verdict compares.
    `tokens` are the values of the annotations merit.dev/approve and so on, by verb. `pin_losses`:
    when the pin had to be written again, Unix seconds. `traffic_refused`: why the last attempt to
    set the weights failed, empty if it did not.
    `jobs` are all of its Jobs, `ended` those of them whose pods have all ended.
    `undelivered` says why alerts about this object do not arrive.
    `training` is the Job of the last retraining; `training_problem`: reason and sentence, why one
    could not be made just now.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: Spec | Invalid
    identity: Identity | None
    status: Status
    seen_before: bool
    deleting: bool = False
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    pin: Pin | None = None
    pin_is_ours: bool = True
    pin_is_foreign: bool = False
    ledger: Ledger | None = None
    ledger_in_sync: bool = True
    arms: Mapping[str, Arm] = field(default_factory=dict)
    route: Route = Route()
    service_foreign: bool = False
    job: JobRun | None = None
    serving_record: Mapping[str, str] = field(default_factory=dict)
    sample: Sample | NoSample | None = None
    monitor: Monitor | None = None
    evidence: Analysis | None = None
    dispersion: Mapping[str, float] = field(default_factory=dict)
    live: Sample | NoSample | None = None
    probe: Sample | NoSample | None = None
    incident: str = ""
    idle: Mapping[str, bool] = field(default_factory=dict)
    refused: Invalid | None = None
    conflict: str = ""
    contested: str = ""
    pin_losses: tuple[float, ...] = ()
    traffic_refused: str = ""
    tokens: Mapping[str, str] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    ended: frozenset[str] = frozenset()
    filed: tuple[Filed, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    measuring: bool = False
    readings: Mapping[str, Readings] = field(default_factory=dict)
    distributions: Mapping[str, Distribution | NoSample] = field(default_factory=dict)
    pairs: Mapping[str, Pair | NoSample] = field(default_factory=dict)
    replicas: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()
    undelivered: str = ""
    training: JobRun | None = None
    training_problem: tuple[str, str] | None = None
    tuning: Tuning = Tuning()
