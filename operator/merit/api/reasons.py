"""Every reason that a condition, Event or ledger entry may give: a word, what it says, what to do.

An empty remedy means that nothing needs to be done.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """`sentence` says what it means, `remedy` what a person does about it."""

    sentence: str
    remedy: str

    def __new__(cls, value: str, sentence: str, remedy: str) -> Reason:
        """One member: its word, sentence and remedy."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        member.remedy = remedy
        return member

    # declared
    ACCEPTED = ("Accepted", "the spec is valid and on record", "")
    INVALID_SPEC = (
        "InvalidSpec",
        "the spec cannot be accepted",
        "correct the named field and apply again",
    )
    HOST_ACCESS_REFUSED = (
        "HostAccessRefused",
        "a pod template reaches into its node, which the operator's configuration forbids",
        "take it out of the template, or set pods.hostAccess",
    )
    RECORD_LOST = (
        "RecordLost",
        "the ControllerRevision of what serves was deleted, so nothing can be decided about it",
        "declare that version again, and its record is written anew",
    )
    OWNERSHIP_CONFLICT = (
        "OwnershipConflict",
        "a name, the route or spec.rollback belongs to somebody else",
        "rename, or take spec.rollback out of Git",
    )
    SUPERSEDED = ("Superseded", "newer content is declared", "")
    PAUSED = (
        "Paused",
        "spec.paused holds every step forward; safety still acts",
        "set spec.paused to false",
    )
    APPROVED = ("Approved", "a person has said yes to the next step", "")
    AWAITING_APPROVAL = (
        "AwaitingApproval",
        "the next step is entered once a person has said yes",
        "kubectl merit approve NAME",
    )
    ABORTED = ("Aborted", "a person stopped it", "declare new content, or kubectl merit retry NAME")
    ROLLED_BACK_BY_HAND = (
        "RolledBackByHand",
        "a person took it back",
        "declare new content, or kubectl merit retry NAME",
    )
    RETRIED = ("Retried", "a person asked for it to run again", "")
    TOKEN_IGNORED = (
        "TokenIgnored",
        "a token did not fit what is on its way, and will not work later either",
        "read why in the message, and set a new value",
    )
    RESTORED = ("Restored", "the ledger says that this content was promoted before", "")
    BYPASSED = (
        "Bypassed",
        "spec.bypass skips a stage",
        "take spec.bypass out of the manifest as soon as the emergency is over",
    )
    BYPASS_REFUSED = (
        "BypassRefused",
        "spec.bypass would last longer than 24h, so nothing is skipped",
        "let it expire within 24h",
    )
    BYPASS_OVER = (
        "BypassOver",
        "spec.bypass has ended or is gone; nothing is skipped any more",
        "take spec.bypass out of the manifest",
    )
    ALREADY_PASSED = (
        "AlreadyPassed",
        "this gate was passed before under the same bars, so it is not run again",
        "",
    )
    # evaluation
    EVALUATION_RUNNING = ("EvaluationRunning", "the evaluator is running", "")
    MEETS_BARS = ("MeetsBars", "the report meets every bar", "")
    BELOW_BAR = ("BelowBar", "the report misses a bar", "deploy a better model, or change the bar")
    EVALUATION_FAILED = (
        "EvaluationFailed",
        "the model did not pass its evaluation",
        "deploy a better model, or change the bar",
    )
    METRIC_MISSING = (
        "MetricMissing",
        "the report lacks a metric that a bar names",
        "let the evaluator report it",
    )
    TOO_FEW_SAMPLES = (
        "TooFewSamples",
        "the metric rests on too few samples",
        "evaluate on more data",
    )
    NOT_PROVEN = (
        "NotProven",
        "the value meets the bar, but its 95% bound does not",
        "evaluate on more rows; the message says how many",
    )
    NO_COMPARISON = (
        "NoComparison",
        "the report cannot be compared with the serving revision",
        "report stable's metrics on the same data, or dataset.digest",
    )
    NOT_APPLICABLE = (
        "NotApplicable",
        "nothing serves yet, so there is nothing to compare with",
        "",
    )
    TOO_FEW_SLICES = (
        "TooFewSlices",
        "fewer than two slices have enough samples to compare",
        "evaluate on more data, or lower minSamples",
    )
    EXIT_CODE_ONLY = ("ExitCodeOnly", "the evaluator ended with 0 and reported no numbers", "")
    EXIT_CODE = (
        "ExitCode",
        "the evaluator ended with a code other than 0",
        "read the Job's log; deploy a better model",
    )
    JOB_FAILED = ("JobFailed", "the evaluator ended without a report", "read the Job's log")
    REPORT_MISSING = (
        "ReportMissing",
        "the evaluator succeeded but wrote no report",
        "write it to /dev/termination-log",
    )
    REPORT_LOST = (
        "ReportLost",
        "the evaluator's pod is gone, and its report with it",
        "nothing: it runs once more; after that, see what deletes pods",
    )
    MALFORMED = ("Malformed", "the report cannot be read", "write merit.dev/report/v1")
    STALE_REPORT = (
        "StaleReport",
        "the report belongs to another revision or run",
        "echo MERIT_REVISION and MERIT_NONCE",
    )
    REPORT_TOO_LARGE = (
        "ReportTooLarge",
        "the report does not fit",
        "report fewer metrics: at most 4096 bytes fit",
    )
    UNKNOWN_SCHEMA = ("UnknownSchema", "the report has another schema", "write merit.dev/report/v1")
    # feasibility
    FEASIBILITY_RUNNING = (
        "FeasibilityRunning",
        "it is being checked whether this can be served",
        "",
    )
    MEETS_CONSTRAINTS = ("MeetsConstraints", "it can be served within the constraints", "")
    STATIC_ONLY = ("StaticOnly", "cost and replicas fit; no load was put on it", "")
    INFEASIBLE = (
        "Infeasible",
        "it cannot be served within the constraints",
        "ask for less, or loosen the constraint",
    )
    TOO_EXPENSIVE = (
        "TooExpensive",
        "it costs more than the constraint allows",
        "ask for less, or raise the bound",
    )
    TOO_SLOW = (
        "TooSlow",
        "it breaks the latency bound even under little load",
        "profile the server, or deploy a simpler model",
    )
    TOO_MANY_ERRORS = (
        "TooManyErrors",
        "it fails too many requests even under little load",
        "read the server's log",
    )
    TOO_MANY_REPLICAS = (
        "TooManyReplicas",
        "the load needs more replicas than are allowed",
        "raise constraints.scale.replicas.max, or take a suggestion",
    )
    CANNOT_SERVE = (
        "CannotServe",
        "its pods do not come up, or do not survive the load",
        "look at the pods' previous log",
    )
    GENERATOR_SATURATED = (
        "GeneratorSaturated",
        "the load generator could not keep up, so it measured itself",
        "give its node more room; nothing is said about the model",
    )
    BAD_REQUEST = (
        "BadRequest",
        "the server refuses the load test's request",
        "correct feasibility.load.request",
    )
    TOO_FEW_REQUESTS = (
        "TooFewRequests",
        "the load test had too few requests for a verdict",
        "lengthen feasibility.load.duration, or loosen the bound",
    )
    NO_LOAD_GENERATOR = (
        "NoLoadGenerator",
        "the operator's configuration names no image of the load generator",
        "set images.tools",
    )
    NO_PRICE = ("NoPrice", "the price book lacks a price", "add it to the operator's configuration")
    NO_REQUESTS = (
        "NoRequests",
        "a container requests no cpu or memory, so it has no price",
        "set resources.requests",
    )
    # rollout
    CANARY = ("Canary", "the candidate is earning traffic", "")
    FIRST_DEPLOYMENT = (
        "FirstDeployment",
        "nothing serves yet, so there is nothing to compare with",
        "",
    )
    SAMPLING = ("Sampling", "evidence is being gathered", "")
    NEEDS_MORE_REQUESTS = (
        "NeedsMoreRequests",
        "there are too few requests for a verdict",
        "wait, or send more traffic",
    )
    DWELL = ("Dwell", "the step has not lasted long enough", "")
    WAITING_FOR_PODS = (
        "WaitingForPods",
        "there are too few ready pods for the next share of traffic",
        "look at the pods",
    )
    WARMING_UP = ("WarmingUp", "the pods are fresh; their latency does not count yet", "")
    STARTING = ("Starting", "the pods are starting", "")
    STABLE_FAILING = (
        "StableFailing",
        "the stable revision fails too, so the comparison says nothing",
        "repair what both depend on",
    )
    NO_BUCKET_EDGE = (
        "NoBucketEdge",
        "the bound is on no edge of the histogram",
        "move the bound, or set the gateway's buckets",
    )
    NO_TRAFFIC = ("NoTraffic", "no requests arrive", "send traffic, or check the route")
    HOLDBACK = ("Holdback", "the old revision keeps a part for comparison", "")
    PROVEN = ("Proven", "the evidence is enough for the next step", "")
    PROMOTED = ("Promoted", "the candidate has become the stable revision", "")
    INCONCLUSIVE = (
        "Inconclusive",
        "maxDuration has passed without proof",
        "send more traffic, or change onInconclusive",
    )
    MEASURING = ("Measuring", "the dispersion of the stable revision's pods is being read", "")
    WITHDRAWN = (
        "Withdrawn",
        "the candidate has no traffic and is not rejected",
        "declare it anew, or change the spec",
    )
    DELETING = ("Deleting", "the object is being deleted", "")
    # metrics
    FRESH = ("Fresh", "every series that is needed is there and current", "")
    METRICS_LOST = ("MetricsLost", "Prometheus does not answer", "check the metrics source")
    NO_SERIES = (
        "NoSeries",
        "Prometheus has no such series",
        "check the metrics source and its preset",
    )
    PARTIAL = ("Partial", "a part of the series is missing", "check the scrape targets")
    LABELS_HIDDEN = (
        "LabelsHidden",
        "there are series, but no label that names a revision",
        "set honor_labels, or relabel as the preset expects",
    )
    BUCKETS_TOO_COARSE = (
        "BucketsTooCoarse",
        "the bucket edges beside the bound lie far apart",
        "move the bound onto an edge, or set finer buckets",
    )
    MEAN_ONLY = (
        "MeanOnly",
        "the source tells only a mean, which says nothing of percentiles",
        "read latency at a gateway",
    )
    NO_SOURCE = (
        "NoSource",
        "no metrics source may be used here",
        "add one to the operator's configuration, or open it to this namespace",
    )
    UNOBSERVED = ("Unobserved", "metrics have not been asked for yet", "")
    # retraining
    RETRAINING = ("Retraining", "a new version is being trained", "")
    RETRAINED = (
        "Retrained",
        "the training ended well; its version comes as new content, through every gate",
        "merge what it committed, if nobody applies it by itself",
    )
    RETRAIN_FAILED = (
        "RetrainFailed",
        "the training failed; it is not tried again before its cooldown is over",
        "read the Job's log",
    )
    RETRAIN_CANCELLED = (
        "RetrainCancelled",
        "the signal recovered, or spec.retrain went, before the training began",
        "",
    )
    RETRAIN_WAITS = (
        "RetrainWaits",
        "a signal asks for training, but the cooldown or the weekly limit forbids it yet",
        "run the training by hand, if it cannot wait",
    )
    CRON_JOB_MISSING = (
        "CronJobMissing",
        "the CronJob that spec.retrain names is not there",
        "make it, or name another one",
    )
    RETRAIN_REFUSED = (
        "RetrainRefused",
        "the API server refuses the training's Job",
        "correct the template",
    )
    # alerts
    ALERTS_UNDELIVERED = (
        "AlertsUndelivered",
        "Alertmanager does not take the alerts about this object; nothing else waits for it",
        "check Alertmanager and the operator's alerts configuration",
    )
    # bad
    ERRORS_BREACHED = ("ErrorsBreached", "too many requests fail", "read the server's log")
    LATENCY_BREACHED = ("LatencyBreached", "too many requests are too slow", "profile the server")
    ERRORS_WORSE = (
        "ErrorsWorse",
        "more requests fail than with the stable revision",
        "read the server's log",
    )
    LATENCY_WORSE = (
        "LatencyWorse",
        "more requests are slow than with the stable revision",
        "profile the server",
    )
    PREDICTIONS_SHIFTED = (
        "PredictionsShifted",
        "it predicts otherwise than the stable revision",
        "compare the two models, or declare another response",
    )
    VETOED = (
        "Vetoed",
        "cost, a threshold or drift forbids a step up",
        "look at the named signal",
    )
    DEAD_ON_ARRIVAL = ("DeadOnArrival", "nearly every request fails", "read the server's log")
    PODS_DOWN = ("PodsDown", "no pod can serve", "look at the pods")
    CRASH_LOOP = ("CrashLoop", "the server ends again and again", "read its previous log")
    NEVER_READY = ("NeverReady", "no pod became ready in time", "look at the readiness probe")
    # platform
    IMAGE_PULL = ("ImagePull", "the image cannot be pulled", "check its name and the registry")
    UNSCHEDULABLE = ("Unschedulable", "no node has room", "add nodes, or request less")
    QUOTA_EXCEEDED = ("QuotaExceeded", "the namespace's quota is used up", "raise the quota")
    QUOTA = ("Quota", "the namespace's quota is used up", "raise the quota")
    ROUTE_ACCEPTED = ("RouteAccepted", "the gateway took the route", "")
    ROUTE_NOT_ACCEPTED = (
        "RouteNotAccepted",
        "the gateway refused the route",
        "read the HTTPRoute's status",
    )
    BY_POD_COUNT = (
        "ByPodCount",
        "shares are made by the number of pods, so weights are approximate",
        "",
    )
    ROUTE_GONE = (
        "RouteGone",
        "the route was deleted; it is made again with all traffic at the stable revision",
        "",
    )
    STEP_TOO_SMALL = (
        "StepTooSmall",
        "by pod count no step is as large as the share of one pod",
        "raise constraints.scale.replicas.min, or add a larger step",
    )
    ROUTE_PENDING = ("RoutePending", "the gateway has not answered yet", "")
    # live
    LIVE = ("Live", "the declared revision serves all traffic", "")
    STABLE_SERVES = ("StableServes", "the stable revision serves", "")
    NOTHING_SERVES = ("NothingServes", "no revision serves", "look at the pods")
    NO_HEALTHY_REVISION = (
        "NoHealthyRevision",
        "what serves is bad and there is nothing to go back to",
        "deploy a better version",
    )
    INSIDE_BARS = ("InsideBars", "every signal is inside its bars", "")
    BREACHED = ("Breached", "a signal is outside its bars", "look at the named signal")
    VERIFYING = (
        "Verifying",
        "an alarm is being verified: the predecessor serves a part again, to compare with",
        "",
    )
    NOT_CONFIRMED = (
        "NotConfirmed",
        "in 15 minutes the comparison with the predecessor did not tell who is to blame",
        "look at the named signal",
    )
    SHARED_FAILURE = (
        "SharedFailure",
        "the predecessor fails alike: it is the environment, not the model",
        "repair what both depend on",
    )
    RECOVERED = ("Recovered", "what the alarm was about is over", "")
    NOT_AUTOMATIC = (
        "NotAutomatic",
        "rollbackPolicy.automatic is false: nothing is rolled back without a person",
        "declare a better version",
    )
    TOO_OLD = (
        "TooOld",
        "it was promoted longer ago than rollbackPolicy.within",
        "declare a better version",
    )
    COOLDOWN = (
        "Cooldown",
        "the last rollback or comparison is less than rollbackPolicy.cooldown ago",
        "look at what both revisions depend on",
    )
    PREDECESSOR_DOWN = (
        "PredecessorDown",
        "the predecessor has no pod that is ready, so nothing can be compared",
        "look at its pods",
    )
    CANDIDATE_EXPOSED = (
        "CandidateExposed",
        "a candidate has traffic, so what is live is not compared with its predecessor",
        "",
    )
    ALERT_ONLY = (
        "AlertOnly",
        "its failure mode asks for no rollback",
        "look at the named signal",
    )
    NOT_COMPARABLE = (
        "NotComparable",
        "no counts stand behind this signal, so no revision can be blamed for it by comparison",
        "look at the named signal; merit.dev/rollback goes back by hand",
    )
    FLEET_INCIDENT = (
        "FleetIncident",
        "many models turned bad in the same moment: the metrics or the platform, not the models",
        "look at Prometheus and at what all of them depend on",
    )
    EARNING = ("Earning", "trust is being earned", "")
    EARNED = ("Earned", "trust was earned", "")
    ROLLING_BACK = ("RollingBack", "traffic goes back to the revision that was good", "")
    ROLLED_BACK = (
        "RolledBack",
        "the declared revision was bad; an earlier one serves",
        "declare a better version",
    )
    ROLLBACK_BLOCKED = (
        "RollbackBlocked",
        "a rollback could not move traffic",
        "look at the gateway",
    )
    REJECTED = (
        "Rejected",
        "this content was rejected by the same policy before",
        "declare new content or new bars",
    )
