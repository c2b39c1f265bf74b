"""Rules that span fields, as CEL for the API server. Each has a twin in `rules/`."""

from __future__ import annotations

from merit.api.evaluation import HIGHER, LOWER

_ORDER = "{0}.all(x, {0}.exists_one(y, y == x)) && {0}.isSorted()"
_DRIFT = "has(self.monitoring) && has(self.monitoring.drift) && self.monitoring.drift.exists(d, "
_CUSTOM = (
    "has(self.monitoring) && has(self.monitoring.signals) && self.monitoring.signals.exists(s, "
)
_BAR = "has(self.min) || has(self.max)"
_ORDERED = "!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)"
_SIGNAL = (
    "self.failureModes.all(m, m.signal == 'cost' ? has(self.constraints.cost) :"
    " m.signal == 'errors' ? has(self.constraints.errors) :"
    " m.signal == 'kpi' ? has(self.goal.kpi) :"
    f" m.signal.startsWith('drift/') ? ({_DRIFT}m.signal == 'drift/' + d.name)) :"
    f" m.signal.startsWith('signals/') ? ({_CUSTOM}m.signal == 'signals/' + s.name)) :"
    " has(self.constraints.latency)"
    " && (m.signal != 'latency/p50' || has(self.constraints.latency.p50))"
    " && (m.signal != 'latency/p90' || has(self.constraints.latency.p90))"
    " && (m.signal != 'latency/p95' || has(self.constraints.latency.p95))"
    " && (m.signal != 'latency/p99' || has(self.constraints.latency.p99)))"
)
_UNIQUE = "self.all(a, self.exists_one(b, b.name == a.name))"
# Path below spec ("[]": items), CEL rule, message with the remedy.
RULES: tuple[tuple[str, str, str], ...] = (
    ("", _SIGNAL, "spec.failureModes: nothing in this object measures a signal: declare it"),
    (
        "",
        f"self.failureModes.all(m, m.response != 'Rollback' || !({_DRIFT}"
        "d.of == 'Features' && m.signal == 'drift/' + d.name)))",
        "spec.failureModes: Rollback does not help against a drift of features, because the "
        "earlier model is older still: use Alert, Retrain or Hold",
    ),
    (
        "failureModes[]",
        "self.signal != 'cost' || self.response != 'Rollback'",
        "Rollback does not lower the cost, which is the price of the replicas: use Alert or Hold",
    ),
    (
        "failureModes[]",
        "self.response != 'Retrain' || !(self.signal == 'cost' || self.signal == 'latency'"
        " || self.signal.startsWith('latency/'))",
        "Retrain makes a server neither faster nor cheaper: use Rollback (for latency), Alert or "
        "Hold",
    ),
    ("goal.kpi", _BAR, "set min or max"),
    ("goal.kpi", _ORDERED, "set min to at most max"),
    ("monitoring.signals[]", _BAR, "set min or max"),
    ("monitoring.signals[]", _ORDERED, "set min to at most max"),
    (
        "monitoring.drift[]",
        "has(self.histogram) != has(self.classes)",
        "set exactly one of histogram and classes",
    ),
    ("monitoring.signals", _UNIQUE, "two signals have one name: give each its own"),
    ("monitoring.drift", _UNIQUE, "two drifts have one name: give each its own"),
    ("failureModes", _UNIQUE, "two failure modes have one name: give each its own"),
    (
        "constraints",
        "has(self.latency) || has(self.errors) || has(self.cost)",
        "set at least one of latency, errors, cost, as errors: {max: 1%}",
    ),
    (
        "constraints",
        "!has(self.cost) || !has(self.cost.per1kPredictions)"
        " || (has(self.scale) && has(self.scale.rps))",
        "cost.per1kPredictions needs to know how many requests share the cost: set scale.rps",
    ),
    (
        "constraints.latency",
        "has(self.p50) || has(self.p90) || has(self.p95) || has(self.p99)",
        "set at least one of p50, p90, p95, p99, as p99: 100ms",
    ),
    (
        "constraints.cost",
        "has(self.perHour) || has(self.per1kPredictions)",
        "set perHour or per1kPredictions",
    ),
    ("constraints.scale.replicas", "self.min <= self.max", "set min to at most max"),
    (
        "evaluation",
        "has(self.report) && self.report.format == 'ExitCode'"
        " || has(self.bars) && self.bars.size() > 0",
        'evaluation.bars: set at least one, as {metric: recall, min: "0.80"}',
    ),
    (
        "evaluation",
        "!has(self.report) || self.report.format != 'ExitCode'"
        " || !has(self.bars) || self.bars.size() == 0",
        "evaluation.bars: an exit code has no numbers: remove bars, or use another report.format",
    ),
    (
        "evaluation",
        "!has(self.bars) || self.bars.size() == 0 || self.bars.exists(b, has(b.min) || has(b.max))",
        "evaluation.bars: at a first deployment none of these would apply: set min or max on one",
    ),
    (
        "evaluation.report",
        "!has(self.path) || self.format != 'ExitCode' && !self.path.contains('..')",
        "path is a file below $MERIT_REPORT_DIR, without ..; ExitCode has none",
    ),
    (
        "evaluation.report",
        "!has(self.metrics) || self.format in ['MLflow', 'Evidently', 'LmEval', 'Sklearn']",
        "metrics point into a framework's file: remove them, or set format",
    ),
    (
        "evaluation.bars[]",
        "has(self.min) || has(self.max) || has(self.noWorseThanStable) || has(self.maxSpread)",
        "set min, max, noWorseThanStable or maxSpread",
    ),
    (
        "evaluation.bars[]",
        "!has(self.maxSpread) || has(self.slices)",
        'maxSpread compares slices: name them, as slices: ["country=*"]',
    ),
    (
        "evaluation.bars[]",
        "!has(self.noWorseThanStable) || has(self.direction) || has(self.min) != has(self.max)"
        f" || self.metric.matches('{LOWER}') != self.metric.matches('{HIGHER}')",
        "the metric's name does not say which way is better: set direction: Higher or Lower",
    ),
    ("evaluation.bars[]", _ORDERED, "set min to at most max"),
    (
        "rollout.route",
        "has(self.gateway) != has(self.replicas)",
        "set exactly one of gateway and replicas, as replicas: {}",
    ),
    (
        "",
        "!has(self.rollout.route.replicas) || !has(self.rollout.steps)"
        " || self.rollout.steps.exists(s, s * (1 + (has(self.constraints.scale)"
        " && has(self.constraints.scale.replicas) ? self.constraints.scale.replicas.min : 1))"
        " >= 100)",
        "spec.rollout.steps: every step is smaller than the share of one pod: add a larger one, or "
        "raise constraints.scale.replicas.min",
    ),
    (
        "",
        "!has(self.feasibility) || !has(self.feasibility.load)"
        " || (has(self.constraints.scale) && has(self.constraints.scale.rps))",
        "spec.feasibility.load needs to know the rate: set spec.constraints.scale.rps",
    ),
    (
        "",
        "!has(self.feasibility) || !has(self.feasibility.load)"
        " || has(self.constraints.latency) || has(self.constraints.errors)",
        "spec.feasibility.load has no bound to check: set spec.constraints.latency or errors",
    ),
    (
        "feasibility.load.request.headers",
        "self.all(a, self.exists_one(b, b.name.lowerAscii() == a.name.lowerAscii()))",
        "a header is declared twice: name it once",
    ),
    (
        "feasibility.load.request",
        "!has(self.method) || self.method != 'GET' || !has(self.bodiesFrom)",
        "a GET has no body: remove bodiesFrom, or use POST",
    ),
    ("rollout.steps", _ORDER.format("self"), "let the steps increase, as [1, 5, 25, 50]"),
    ("rollout.approvals", _ORDER.format("self"), "let the approvals increase, as [25, 50]"),
    (
        "rollout",
        "!has(self.approvals) || self.approvals.all(a,"
        " has(self.steps) ? a in self.steps : a in [1, 5, 10, 25, 50])",
        "spec.rollout.approvals: use only steps (default: 1, 5, 10, 25, 50)",
    ),
    (
        "rollout",
        "duration(has(self.minDuration) ? self.minDuration : '5m')"
        " <= duration(has(self.maxDuration) ? self.maxDuration : '60m')",
        "set minDuration to at most maxDuration (defaults: 5m and 60m)",
    ),
    (
        "",
        "has(self.retrain) || self.failureModes.all(m, m.response != 'Retrain')",
        "spec.failureModes: the response Retrain needs a training: set spec.retrain, as "
        "retrain: {cronJob: train-fraud}",
    ),
    (
        "retrain",
        "has(self.cronJob) != has(self.job)",
        "set exactly one of cronJob and job, as cronJob: train-fraud",
    ),
    (
        "bypass.stages",
        "self.all(a, self.exists_one(b, b == a))",
        "a stage is named twice: name each once",
    ),
    (
        "rollback",
        "self.fromRevision != self.toRevision",
        "fromRevision and toRevision are the same: leave spec.rollback to the operator",
    ),
)

# Rules of the whole object: what must not change once a revision serves.
ROOT_RULES: tuple[tuple[str, str], ...] = (
    (
        "!has(oldSelf.status) || !has(oldSelf.status.stable)"
        " || has(self.spec.rollout.route.gateway) == has(oldSelf.spec.rollout.route.gateway)",
        "spec.rollout.route: the kind of route cannot change while a revision serves: set it back,"
        " or declare another object beside this one",
    ),
)
