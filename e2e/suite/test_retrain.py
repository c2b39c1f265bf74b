"""The full circle: a population moves, training commits to Git, and its version is promoted.

What moves is what customers send; the drift of what the servers then say is Merit's own finding.
"""

from __future__ import annotations

from e2e.demo.environment import Environment
from e2e.demo.kubectl import wait_for
from e2e.demo.model import NAME, Object, phase, stable
from e2e.suite.gitops import GitOps
from e2e.suite.monitoring import Monitoring
from e2e.suite.workspace import SERVING, Workspace

SHIFT = 5.0  # times the amounts: PSI 0.7 of the scores, where 0.1 is the mark
DRIFT = "drift/score"
MEASURED = 240  # seconds until a window of usual traffic is full
MEAN = (
    "sum(rate(model_prediction_score_sum{{{0}}}[1m]))"
    " / sum(rate(model_prediction_score_count{{{0}}}[1m]))"
)
TRAINED = 600  # seconds from the shift until the training has ended


def test_a_population_that_moves_is_trained_for_once_and_the_new_version_is_promoted(
    environment: Environment, workspace: Workspace
) -> None:
    monitoring, gitops = Monitoring(environment.kubectl), GitOps(environment.kubectl, workspace)
    query = MEAN.format(f'namespace="{workspace.namespace}"')
    modes = workspace.model.manifest("good")["spec"]["failureModes"]
    moved = {"name": "population-moves", "signal": DRIFT, "response": "Retrain"}
    scores = {"name": "score", "of": "Predictions", "histogram": "model_prediction_score"}
    manifest = workspace.model.manifest(
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
    workspace.live("good", SERVING)
    workspace.traffic()
    workspace.model.until(
        "scores as the evaluation has them, and a reading of the query",
        MEASURED,
        lambda seen: (
            verdict(seen, DRIFT) == "Good" and verdict(seen, "signals/mean-score") == "Good"
        ),
        lambda seen: verdict(seen, DRIFT) == "Bad",
    )
    assert gitops.trainings() == []
    assert "MeritBreached" not in monitoring.alerts(workspace.namespace)
    workspace.traffic(options=(f"--shift={SHIFT:g}",))

    found = monitoring.alert(workspace.namespace, "MeritBreached", TRAINED)
    owner = manifest["spec"]["owner"]
    assert found["labels"]["team"] == owner["team"]
    assert found["labels"]["contact"] == owner["contact"]
    assert found["labels"]["severity"] == "warning"
    assert found["labels"]["signal"] == DRIFT
    assert found["annotations"]["response"] == "Retrain"
    assert found["annotations"]["runbook_url"] == owner["runbook"]
    assert "PSI" in found["annotations"]["summary"]
    seen = workspace.model.until(
        "the end of the training",
        TRAINED,
        lambda seen: seen["status"].get("retrain", {}).get("outcome") == "Succeeded",
        lambda seen: seen["status"].get("retrain", {}).get("outcome") == "Failed",
    )
    run = seen["status"]["retrain"]
    assert run["signal"] == DRIFT
    assert gitops.trainings() == [run["job"]]
    print(gitops.log(run["job"]).strip())

    seen = workspace.live("good-r1")
    assert seen["spec"]["model"]["uri"].startswith("data:application/json;base64,")
    assert gitops.managers() == {"gitops"}, "Merit never writes spec.model"
    flow = {stage["stage"]: stage["verdict"] for stage in seen["status"]["flow"]}
    assert flow["Evaluation"] == flow["Feasibility"] == flow["Rollout"] == "Good"
    wait_for(
        "the end of the alert",
        240,
        lambda: True if "MeritBreached" not in monitoring.alerts(workspace.namespace) else None,
    )
    assert gitops.trainings() == [run["job"]], "exactly one"
    assert (phase(workspace.model.seen()), stable(workspace.model.seen())) == ("Live", "good-r1")
    assert NAME in run["job"]


def verdict(seen: Object, signal: str) -> str:
    """What status says of that signal."""
    found = seen["status"].get("signals", ())
    return next((each.get("verdict", "") for each in found if each["name"] == signal), "")
