"""A breached signal meets the response that was declared for it, and nothing else."""

import pytest

from merit.api.spec import Spec
from merit.api.validation import parse_spec
from merit.policy.state.responses import Effects, Where, coverage, effects, responds
from tests.api.manifests import good


def spec(*modes: tuple[str, str], automatic: bool = True) -> Spec:
    raw = good()["spec"]
    raw["failureModes"] = [
        {"name": f"mode-{i}", "signal": signal, "response": response}
        for i, (signal, response) in enumerate(modes)
    ]
    raw["rollbackPolicy"] = {"automatic": automatic}
    parsed = parse_spec(raw, name="fraud-scorer")
    assert isinstance(parsed, Spec), parsed
    return parsed


@pytest.mark.parametrize("where", ["candidate", "live"])
@pytest.mark.parametrize(
    ("response", "automatic", "expected"),
    [
        ("Rollback", True, Effects(rolls_back=True, alerts=True)),
        ("Rollback", False, Effects(holds=True, alerts=True)),
        ("Alert", True, Effects(alerts=True)),
        ("Alert", False, Effects(alerts=True)),
        ("Hold", True, Effects(holds=True)),
        ("Hold", False, Effects(holds=True)),
    ],
)
def test_each_response_does_what_the_table_says(
    where: Where, response: str, automatic: bool, expected: Effects
) -> None:
    assert effects(spec(("errors", response), automatic=automatic), "errors", where) == expected


def test_a_signal_without_a_failure_mode_alerts_and_nothing_more() -> None:
    assert effects(spec(("errors", "Rollback")), "latency/p99", "live") == Effects(alerts=True)


def test_a_failure_mode_of_latency_covers_every_percentile_but_an_exact_one_wins() -> None:
    both = spec(("latency", "Alert"), ("latency/p99", "Rollback"))
    assert responds(both, "latency/p99") == "Rollback"
    assert responds(spec(("latency", "Rollback")), "latency/p99") == "Rollback"
    assert responds(spec(("latency/p99", "Rollback")), "latency/p50") == "Alert"


def test_what_nobody_covers_is_named() -> None:
    assert coverage(spec(("errors", "Alert"))) == (
        "coverage 1/3: latency and cost have no failure mode"
    )
    assert coverage(spec(("errors", "Alert"), ("latency/p99", "Rollback"))) == (
        "coverage 2/3: cost has no failure mode"
    )
    assert coverage(spec(("errors", "Alert"), ("latency", "Alert"), ("cost", "Alert"))) == (
        "coverage 3/3"
    )
