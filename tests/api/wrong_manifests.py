"""Wrong manifests: what is wrong, how a good one gets there, the field, a word of the remedy.

`crd`: whether the API server refuses it by itself; else the operator does, as InvalidSpec.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.api.manifests import put


class Wrong(NamedTuple):
    """`field`: begins the path that is named; `remedy`: stands in the remedy of our sentence."""

    title: str
    manifest: dict[str, Any]
    field: str
    remedy: str
    crd: bool = True


_POD = "spec.serving.template.spec"
_SIDECAR = {"name": "sidecar", "image": "s:1"}
_SERVER = {"name": "server", "image": "s:1", "readinessProbe": {"tcpSocket": {"port": 8080}}}
_NULLS = {"name": "nulls", "query": "max(nulls)", "max": "0.02"}
_AMOUNT = {"name": "amount", "of": "Features", "histogram": "model_feature_amount"}
_HASH = "h1:" + "0" * 64
_PIN = {
    "fromRevision": _HASH,
    "fromStage": "Rollout",
    "fromPolicy": _HASH,
    "toRevision": _HASH,
    "reason": "ErrorsBreached",
    "message": "errors 6% > 1%",
    "at": "2026-11-23T01:02:03Z",
}
_NO_RATE = {"errors": {"max": "1%"}, "latency": {"p99": "100ms"}}
_COSTS = {"cost": {"perHour": "6.00", "currency": "USD"}, "scale": {"rps": 5}}
_WATCHED = put("spec.failureModes", [{"name": "c", "signal": "cost", "response": "Alert"}])
_SOON = "2026-11-24T00:00:00Z"
_BYPASS = {"stages": ["Rollout"], "reason": "INC-4711", "expires": _SOON}
_LOAD = {"request": {"path": "/predict"}}
_TWICE = [{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]
_GET_WITH_BODY = {"path": "/", "method": "GET", "bodiesFrom": {"configMap": "bodies"}}
_BAR = "spec.evaluation.bars"
_EVALUATOR = "spec.evaluation.job.template.spec"
TWO_BARS = put(_BAR, [{"metric": "recall", "min": "0.80"}, {}])
_GATEWAY = "spec.rollout.route.gateway"
_REPLICAS = "spec.constraints.scale.replicas"

WRONG = [
    Wrong("a typo in a field", put("spec.rollout.step", [1]), "spec.rollout.step", "steps"),
    Wrong("no goal", put("spec.goal", ...), "spec.goal", "objective"),
    Wrong("no owner", put("spec.owner", ...), "spec.owner", "contact"),
    Wrong("no constraints", put("spec.constraints", ...), "spec.constraints", "errors"),
    Wrong(
        "a failure mode of a drift that nothing measures",
        put("spec.failureModes.0.signal", "drift/score"),
        "spec.failureModes",
        "declare score in monitoring.drift",
    ),
    Wrong(
        "a failure mode of a KPI that is not there",
        put("spec.failureModes.0.signal", "kpi"),
        "spec.failureModes",
        "goal.kpi",
    ),
    Wrong(
        "a failure mode of a threshold with another name",
        put(
            "spec.failureModes.0.signal",
            "signals/null",
            put("spec.monitoring", {"signals": [_NULLS]}),
        ),
        "spec.failureModes",
        "signals/nulls",
    ),
    Wrong(
        "a rollback for a drift of features",
        put(
            "spec.failureModes.0",
            {"name": "shift", "signal": "drift/amount", "response": "Rollback"},
            put("spec.monitoring", {"drift": [_AMOUNT]}),
        ),
        "spec.failureModes",
        "Retrain",
    ),
    Wrong("a KPI without a bar", put("spec.goal.kpi", {"query": "x"}), "spec.goal.kpi", "min"),
    Wrong(
        "a KPI whose bars cross",
        put("spec.goal.kpi", {"query": "x", "min": "2", "max": "1"}),
        "spec.goal.kpi",
        "max",
    ),
    Wrong(
        "a threshold without a bar",
        put("spec.monitoring", {"signals": [{"name": "nulls", "query": "x"}]}),
        "spec.monitoring.signals[0]",
        "max",
    ),
    Wrong(
        "a drift from nowhere",
        put("spec.monitoring", {"drift": [{"name": "score", "of": "Predictions"}]}),
        "spec.monitoring.drift[0]",
        "histogram",
    ),
    Wrong(
        "a drift of neither",
        put("spec.monitoring", {"drift": [_AMOUNT | {"of": "Labels"}]}),
        "spec.monitoring.drift[0].of",
        "Predictions",
    ),
    Wrong(
        "two drifts of one name",
        put("spec.monitoring", {"drift": [_AMOUNT, _AMOUNT]}),
        "spec.monitoring.drift",
        "name",
    ),
    Wrong(
        "two thresholds of one name",
        put("spec.monitoring", {"signals": [_NULLS, _NULLS]}),
        "spec.monitoring.signals",
        "name",
    ),
    Wrong(
        "a query that never ends",
        put("spec.goal.kpi", {"query": "sum(rate(x[5m])", "min": "1"}),
        "spec.goal.kpi.query",
        "close",
        crd=False,
    ),
    Wrong(
        "a query that is a range",
        put("spec.goal.kpi", {"query": "x[5m]", "min": "1"}),
        "spec.goal.kpi.query",
        "rate",
        crd=False,
    ),
    Wrong(
        "a query of two lines",
        put("spec.goal.kpi", {"query": "x\n+ y", "min": "1"}),
        "spec.goal.kpi.query",
        "one line",
    ),
    Wrong("no failure modes", put("spec.failureModes", ...), "spec.failureModes", "signal"),
    Wrong(
        "no rollback policy", put("spec.rollbackPolicy", ...), "spec.rollbackPolicy", "automatic"
    ),
    Wrong("empty constraints", put("spec.constraints", {}), "spec.constraints", "errors"),
    Wrong("empty failure modes", put("spec.failureModes", []), "spec.failureModes", "signal"),
    Wrong("no percentile", put("spec.constraints.latency", {}), "spec.constraints.latency", "p99"),
    Wrong(
        "a duration in days",
        put("spec.rollout.minDuration", "1d"),
        "spec.rollout.minDuration",
        "24h",
    ),
    Wrong(
        "a latency of nothing",
        put("spec.constraints.latency.p99", "0s"),
        "spec.constraints.latency.p99",
        "more than 0",
    ),
    Wrong(
        "a share above 100%",
        put("spec.constraints.errors.max", "150%"),
        "spec.constraints.errors.max",
        "percentage",
    ),
    Wrong(
        "a share as a number",
        put("spec.constraints.errors.max", 0.01),
        "spec.constraints.errors.max",
        "percentage",
    ),
    Wrong(
        "a confidence of 100%",
        put("spec.rollout.confidence", "100%"),
        "spec.rollout.confidence",
        "99%",
    ),
    Wrong("steps that fall", put("spec.rollout.steps", [5, 1]), "spec.rollout.steps", "increase"),
    Wrong(
        "an approval that is no step",
        put("spec.rollout.approvals", [30]),
        "spec.rollout.approvals",
        "1, 5, 10, 25, 50",
    ),
    Wrong(
        "an approval that is none of the declared steps",
        put("spec.rollout.approvals", [25], put("spec.rollout.steps", [10, 50])),
        "spec.rollout.approvals",
        "10, 50",
    ),
    Wrong(
        "approvals that fall",
        put("spec.rollout.approvals", [50, 25]),
        "spec.rollout.approvals",
        "increase",
    ),
    Wrong(
        "two routes",
        put("spec.rollout.route.replicas", {}),
        "spec.rollout.route",
        "exactly one",
    ),
    Wrong(
        "a route that only redirects",
        put(f"{_GATEWAY}.rules", [{"filters": [{"type": "RequestRedirect"}]}]),
        f"{_GATEWAY}.rules",
        "without a RequestRedirect",
        crd=False,
    ),
    Wrong("no route", put("spec.rollout.route", {}), "spec.rollout.route", "exactly one"),
    Wrong(
        "steps that are smaller than one pod's share",
        put("spec.rollout.steps", [1, 5], put("spec.rollout.route", {"replicas": {}})),
        "spec.rollout.steps",
        "replicas.min",
    ),
    Wrong("steps that stay", put("spec.rollout.steps", [5, 5]), "spec.rollout.steps", "increase"),
    Wrong("a step above 100", put("spec.rollout.steps", [1, 101]), "spec.rollout.steps", "100"),
    Wrong(
        "a minimum above the default maximum",
        put("spec.rollout.minDuration", "2h"),
        "spec.rollout",
        "maxDuration",
    ),
    Wrong(
        "no readiness probe on the server",
        put(f"{_POD}.containers.0.readinessProbe", ...),
        f"{_POD}.containers[0].readinessProbe",
        "readinessProbe",
        crd=False,
    ),
    Wrong(
        "two containers and none with the port",
        put(f"{_POD}.containers", [_SERVER, _SIDECAR]),
        "spec.serving.port",
        "containerPort",
        crd=False,
    ),
    Wrong("no containers", put(f"{_POD}.containers", []), _POD, "PodTemplateSpec", crd=False),
    Wrong(
        "a variable that the operator sets",
        put(f"{_POD}.containers.0.env", [{"name": "MERIT_MODEL_URI", "value": "x"}]),
        f"{_POD}.containers[0].env[0].name",
        "MERIT_",
        crd=False,
    ),
    *(
        Wrong(
            f"a label of the operator in the template of {part}",
            put(
                f"spec.{part}.template.metadata",
                {"labels": {"team": "x", "merit.dev/revision": "0" * 8}},
                put("spec.retrain.job.template.spec.containers", [{"name": "t", "image": "t:1"}]),
            ),
            f"spec.{part}.template.metadata.labels",
            "merit.dev/",
            crd=False,
        )
        for part in ("serving", "evaluation.job", "retrain.job")
    ),
    Wrong(
        "a failure mode whose signal has no bound",
        put("spec.constraints.cost", ..., put("spec.failureModes.0.signal", "cost")),
        "spec.failureModes",
        "constraints.cost",
    ),
    Wrong(
        "a failure mode with a signal nobody knows",
        put("spec.failureModes.0.signal", "mood"),
        "spec.failureModes[0].signal",
        "latency",
    ),
    Wrong(
        "two failure modes of one name",
        put("spec.failureModes.0.name", "errors"),
        "spec.failureModes",
        "name",
    ),
    Wrong("a name too long", put("metadata.name", "a" * 41), "metadata.name", "40"),
    Wrong("a name with a dot", put("metadata.name", "fraud.scorer"), "metadata.name", "dashes"),
    Wrong("more replicas at least than at most", put(f"{_REPLICAS}.min", 9), _REPLICAS, "max"),
    Wrong("no replicas", put(f"{_REPLICAS}.min", 0), f"{_REPLICAS}.min", "greater"),
    Wrong("a bar without a bound", put(f"{_BAR}.0.min", ...), f"{_BAR}[0]", "max"),
    Wrong("a bar that nothing meets", put(f"{_BAR}.0.max", "0.5"), f"{_BAR}[0]", "max"),
    Wrong("a bar as a number", put(f"{_BAR}.0.min", 0.8), f"{_BAR}[0].min", "quotes"),
    Wrong("no bars", put(_BAR, []), _BAR, "recall"),
    Wrong("bars left out", put(_BAR, ...), _BAR, "recall"),
    Wrong(
        "bars for an exit code",
        put("spec.evaluation.report", {"format": "ExitCode"}),
        _BAR,
        "report.format",
    ),
    Wrong(
        "bars that say nothing at a first deployment",
        put(_BAR, [{"metric": "auc", "noWorseThanStable": "0.01"}]),
        _BAR,
        "min or max",
    ),
    Wrong(
        "a comparison of which nobody knows what is better",
        put(f"{_BAR}.1", {"metric": "score", "noWorseThanStable": "0.01"}, TWO_BARS),
        f"{_BAR}[1]",
        "direction",
    ),
    Wrong(
        "a comparison with both bounds and a name that tells nothing",
        put(_BAR, [{"metric": "s", "min": "0", "max": "1", "noWorseThanStable": "0.01"}]),
        f"{_BAR}[0]",
        "direction",
    ),
    Wrong(
        "a spread without slices",
        put(f"{_BAR}.0.maxSpread", "0.01"),
        f"{_BAR}[0]",
        "slices",
    ),
    Wrong(
        "a negative spread",
        put(_BAR, [{"metric": "r", "min": "0", "maxSpread": "-0.1", "slices": ["a=*"]}]),
        f"{_BAR}[0].maxSpread",
        "0 or more",
    ),
    Wrong(
        "a glob with a bracket",
        put(f"{_BAR}.0.slices", ["country=[AB]*"]),
        f"{_BAR}[0].slices",
        "matches",
    ),
    Wrong(
        "a path for an exit code",
        put(_BAR, ..., put("spec.evaluation.report", {"format": "ExitCode", "path": "a.json"})),
        "spec.evaluation.report",
        "$MERIT_REPORT_DIR",
    ),
    Wrong(
        "a path out of the directory",
        put("spec.evaluation.report", {"format": "MLflow", "path": "a/../../etc/passwd"}),
        "spec.evaluation.report",
        "without ..",
    ),
    Wrong(
        "an absolute path",
        put("spec.evaluation.report", {"format": "MLflow", "path": "/etc/passwd"}),
        "spec.evaluation.report.path",
        "matches",
    ),
    Wrong(
        "pointers into a native report",
        put(
            "spec.evaluation.report",
            {"format": "Native", "metrics": [{"name": "a", "from": "/a"}]},
        ),
        "spec.evaluation.report",
        "framework",
    ),
    Wrong(
        "a pointer that is none",
        put(
            "spec.evaluation.report",
            {"format": "MLflow", "metrics": [{"name": "a", "from": "a.b"}]},
        ),
        "spec.evaluation.report.metrics[0].from",
        "matches",
    ),
    Wrong(
        "four containers, so that a report no longer fits",
        put(f"{_EVALUATOR}.initContainers", [{"name": f"i{n}", "image": "i:1"} for n in range(3)]),
        f"{_EVALUATOR}.containers",
        "at most 3",
        crd=False,
    ),
    Wrong(
        "a container called like the operator's own",
        put(f"{_EVALUATOR}.containers.0.name", "merit-report"),
        f"{_EVALUATOR}.containers",
        "another name",
        crd=False,
    ),
    Wrong(
        "no revisions kept",
        put("spec.rollbackPolicy.keepRevisions", 0),
        "spec.rollbackPolicy.keepRevisions",
        "1",
    ),
    Wrong("no samples at least", put(f"{_BAR}.0.minSamples", 0), f"{_BAR}[0].minSamples", "1"),
    Wrong("a direction", put(f"{_BAR}.0.direction", "Up"), f"{_BAR}[0].direction", "Lower"),
    Wrong("a proof", put(f"{_BAR}.0.proof", "Sure"), f"{_BAR}[0].proof", "Bound"),
    Wrong(
        "a negative cost",
        put("spec.constraints.cost.perHour", "-6.00"),
        "spec.constraints.cost.perHour",
        "more than 0",
    ),
    Wrong(
        "a cost per prediction without a rate",
        put("spec.constraints.scale.rps", ...),
        "spec.constraints",
        "rps",
    ),
    Wrong(
        "a rollback for the cost",
        put("spec.failureModes", [{"name": "dear", "signal": "cost", "response": "Rollback"}]),
        "spec.failureModes[0]",
        "Alert",
    ),
    Wrong(
        "a training for the latency",
        put("spec.failureModes.0.response", "Retrain"),
        "spec.failureModes[0]",
        "Rollback",
    ),
    Wrong("an empty goal", put("spec.goal.objective", " "), "spec.goal.objective", "line"),
    Wrong("two lines of goal", put("spec.goal.objective", "a\nb"), "spec.goal.objective", "line"),
    Wrong(
        "a runbook that is no address",
        put("spec.owner.runbook", "javascript:alert(1)"),
        "spec.owner.runbook",
        "http",
    ),
    Wrong(
        "a filter that sends requests elsewhere",
        put(f"{_GATEWAY}.rules", [{"filters": [{"type": "RequestMirror"}]}]),
        f"{_GATEWAY}.rules[0].filters[0].type",
        "URLRewrite",
        crd=False,
    ),
    Wrong(
        "back ends in a rule",
        put(f"{_GATEWAY}.rules", [{"backendRefs": [{"name": "other"}]}]),
        f"{_GATEWAY}.rules[0].backendRefs",
        "matches",
    ),
    Wrong("no gateway", put(f"{_GATEWAY}.parentRefs", []), f"{_GATEWAY}.parentRefs", "Gateway"),
    Wrong(
        "an evaluator's Job with parallelism",
        put("spec.evaluation.job.parallelism", 2),
        "spec.evaluation.job.parallelism",
        "backoffLimit",
    ),
    Wrong(
        "a load test without a rate",
        put("spec.feasibility", {"load": _LOAD}, put("spec.constraints", _NO_RATE)),
        "spec.feasibility.load",
        "rps",
    ),
    Wrong(
        "a load test with nothing to judge by",
        put("spec.feasibility", {"load": _LOAD}, put("spec.constraints", _COSTS, _WATCHED)),
        "spec.feasibility.load",
        "latency",
    ),
    Wrong(
        "a stage without end",
        put("spec.feasibility.load", {**_LOAD, "duration": "1h"}),
        "spec.feasibility.load.duration",
        "5m",
    ),
    Wrong(
        "a headroom as a number",
        put("spec.feasibility.load", {**_LOAD, "headroom": 1.2}),
        "spec.feasibility.load.headroom",
        "percentage",
    ),
    Wrong(
        "a request that goes elsewhere",
        put("spec.feasibility.load", {"request": {"path": "http://other/"}}),
        "spec.feasibility.load.request.path",
        "matches",
    ),
    Wrong(
        "a header twice",
        put("spec.feasibility.load", {"request": {"path": "/", "headers": _TWICE}}),
        "spec.feasibility.load.request.headers",
        "once",
    ),
    Wrong(
        "a GET with a body",
        put("spec.feasibility.load", {"request": _GET_WITH_BODY}),
        "spec.feasibility.load.request",
        "POST",
    ),
    Wrong(
        "a response that has nothing to run",
        put("spec.failureModes.1.response", "Retrain"),
        "spec.failureModes",
        "retrain: {cronJob",
    ),
    Wrong("nothing to train with", put("spec.retrain", {"cooldown": "1h"}), "spec.retrain", "one"),
    Wrong(
        "two things to train with",
        put("spec.retrain", {"cronJob": "train", "job": {"template": {"spec": {}}}}),
        "spec.retrain",
        "one",
    ),
    Wrong(
        "a training in another namespace",
        put("spec.retrain", {"cronJob": "other/train"}),
        "spec.retrain.cronJob",
        "matches",
    ),
    Wrong(
        "a training that sets a reserved variable",
        put(
            "spec.retrain",
            {
                "job": {
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "t",
                                    "image": "t:1",
                                    "env": [{"name": "MERIT_NAME", "value": "x"}],
                                }
                            ]
                        }
                    }
                }
            },
        ),
        "spec.retrain.job.template.spec.containers[0].env[0].name",
        "MERIT_",
        crd=False,
    ),
    Wrong(
        "a bypass without a reason",
        put("spec.bypass", {"stages": ["Rollout"], "expires": _SOON}),
        "spec.bypass.reason",
        "reason",
    ),
    Wrong(
        "a bypass of nothing",
        put("spec.bypass", {**_BYPASS, "stages": []}),
        "spec.bypass.stages",
        "at least one",
    ),
    Wrong(
        "a bypass of one stage twice",
        put("spec.bypass", {**_BYPASS, "stages": ["Rollout", "Rollout"]}),
        "spec.bypass.stages",
        "once",
    ),
    Wrong(
        "a bypass of the watch",
        put("spec.bypass", {**_BYPASS, "stages": ["Live"]}),
        "spec.bypass.stages[0]",
        "Rollout",
    ),
    Wrong(
        "a bypass that ends in words",
        put("spec.bypass", {**_BYPASS, "expires": "tomorrow"}),
        "spec.bypass.expires",
        "RFC 3339",
    ),
    Wrong(
        "a bypass that ends on no day",
        put("spec.bypass", {**_BYPASS, "expires": "2026-02-31T00:00:00Z"}),
        "spec.bypass.expires",
        "RFC 3339",
    ),
    Wrong("a pin to itself", put("spec.rollback", _PIN), "spec.rollback", "operator"),
    Wrong("an empty pin", put("spec.rollback", {}), "spec.rollback", "from"),
]

PARAMS = [pytest.param(wrong, id=wrong.title) for wrong in WRONG]
