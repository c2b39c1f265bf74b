"""The full circle: a population moves, training commits to Git, and its version is promoted.

What moves is what customers send; the drift of what the servers then say is Merit's own finding.
"""

from __future__ import annotations

from e2e.demo.kubectl import wait_for
from e2e.demo.model import NAME, Object, phase, stable
from e2e.demo.setting import Setting
from e2e.suite.gitops import GitOps
from e2e.suite.monitoring import Monitoring
from e2e.suite.place import SERVING, Place

SHIFT = 5.0  # times the amounts: PSI 0.7 of the scores, where 0.1 is the mark
DRIFT = "drift/score"
MEASURED = 240  # seconds until a window of usual traffic is full
MEAN = (
    "sum(rate(model_prediction_score_sum{{{0}}}[1m]))"
    " / sum(rate(model_prediction_score_count{{{0}}}[1m]))"
)
TRAINED = 600  # seconds from the shift until the training has ended


def test_a_population_that_moves_is_trained_for_once_and_the_new_version_is_promoted(
    setting: Setting, place: Place
) -> None:
    monitoring, gitops = Monitoring(setting.kubectl), GitOps(setting.kubectl, place)
    query = MEAN.format(f'namespace="{place.namespace}"')
    modes = place.model.manifest("good")["spec"]["failureModes"]
    moved = {"name": "population-moves", "signal": DRIFT, "response": "Retrain"}
    scores = {"name": "score", "of": "Predictions", "histogram": "model_prediction_score"}
    manifest = place.model.manifest(
        "good",
        {
            "monitoring": {
                "drift": [scores],
                "signals": [{"name": "mean-score", "query": query, "max": "0.99"}],
            },
            "failureModes": [*modes, moved],
            "retrain": {"cronJob": "train-fraud"},
            # Training takes the CPU that serving has on a small machine: not this test's subject.
            "constraints.latency.p99": "2500ms",
        },
    )
    gitops.begin(manifest)
    place.live("good", SERVING)
    place.traffic()
    place.model.until(
        "scores as the evaluation has them, and a reading of the query",
        MEASURED,
        lambda seen: (
            verdict(seen, DRIFT) == "Good" and verdict(seen, "signals/mean-score") == "Good"
        ),
        lambda seen: verdict(seen, DRIFT) == "Bad",
    )
    assert gitops.trainings() == []
    assert "MeritBreached" not in monitoring.alerts(place.namespace)
    place.traffic(options=(f"--shift={SHIFT:g}",))

    told = monitoring.alert(place.namespace, "MeritBreached", TRAINED)
    owner = manifest["spec"]["owner"]
    assert told["labels"]["team"] == owner["team"]
    assert told["labels"]["contact"] == owner["contact"]
    assert told["labels"]["severity"] == "warning"
    assert told["labels"]["signal"] == DRIFT
    assert told["annotations"]["response"] == "Retrain"
    assert told["annotations"]["runbook_url"] == owner["runbook"]
    assert "PSI" in told["annotations"]["summary"]
    seen = place.model.until(
        "the end of the training",
        TRAINED,
        lambda seen: seen["status"].get("retrain", {}).get("outcome") == "Succeeded",
        lambda seen: seen["status"].get("retrain", {}).get("outcome") == "Failed",
    )
    run = seen["status"]["retrain"]
    assert run["signal"] == DRIFT
    assert gitops.trainings() == [run["job"]]
    print(gitops.log(run["job"]).strip())

    seen = place.live("good-r1")
    assert seen["spec"]["model"]["uri"].startswith("data:application/json;base64,")
    assert gitops.managers() == {"gitops"}, "Merit never writes spec.model"
    flow = {stage["stage"]: stage["verdict"] for stage in seen["status"]["flow"]}
    assert flow["Evaluation"] == flow["Feasibility"] == flow["Rollout"] == "Good"
    wait_for(
        "the end of the alert",
        240,
        lambda: True if "MeritBreached" not in monitoring.alerts(place.namespace) else None,
    )
    assert gitops.trainings() == [run["job"]], "exactly one"
    assert (phase(place.model.seen()), stable(place.model.seen())) == ("Live", "good-r1")
    assert NAME in run["job"]


def verdict(seen: Object, signal: str) -> str:
    """What status says of that signal."""
    told = seen["status"].get("signals", ())
    return next((each.get("verdict", "") for each in told if each["name"] == signal), "")
