"""What serves as people see it: written when a bar breaks, never for noise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from merit.api.hashing import identify
from merit.api.live_status import Alarm, Comparison
from merit.api.spec import Spec
from merit.api.status import Promotion, Rejection, Signal, Status
from merit.api.validation import parse_spec
from merit.policy.decide import decide
from merit.policy.live.comparison import with_comparison_evidence
from merit.policy.live.live_signals import (
    live_of,
    not_comparable,
    trust,
    with_live_signals,
)
from merit.policy.report.alerts import alerts
from merit.policy.state.counted_signals import bars
from merit.policy.state.measurements import Figure
from merit.policy.state.observed import (
    Accepted,
    Observed,
    RevisionPods,
)
from merit.policy.state.times import stamp
from merit.policy.state.transitions import predecessor
from merit.stats.counts import ArmPair, Counts, Sample
from tests.api.manifests import good
from tests.policy.builders import NOW, observed, with_status
from tests.policy.situations import leaking

LEAKS = Signal(
    name="signals/leaks", value="the query returns nothing", bar="<= 0", verdict="NoData"
)


def measured(seen: Observed, share: float, n: int, value: str, at: float = NOW) -> Status:
    figures = {"errors": Figure(share=share, n=n, value=value)}
    return with_live_signals(
        replace(seen, measurements=replace(seen.measurements, figures=figures)), seen.status, at
    )


def errors(status: Status) -> Signal:
    return next(s for s in status.signals if s.name == "errors")


def test_a_minute_above_the_bar_is_shown_and_is_not_bad() -> None:
    told = errors(measured(observed(), 0.02, 1000, "2%"))
    assert (told.value, told.verdict, told.n) == ("2%", "Undecided", 1000)


def test_too_few_requests_say_nothing() -> None:
    told = errors(measured(observed(), 0.5, 10, "50%"))
    assert (told.value, told.verdict) == ("", "NoData")


@pytest.mark.parametrize(
    ("share", "value", "later", "written"),
    [
        pytest.param(0.004, "0.4%", 600.0, True, id="four times as much, after ten minutes"),
        pytest.param(0.004, "0.4%", 200.0, False, id="four times as much, too soon"),
        pytest.param(0.0011, "0.11%", 600.0, False, id="a tenth more"),
        pytest.param(0.0013, "0.13%", 600.0, False, id="a third more, which chance explains"),
    ],
)
def test_a_value_is_written_anew_for_a_real_move_and_seldom(
    share: float, value: str, later: float, written: bool
) -> None:
    seen = observed()
    seen = replace(seen, status=measured(seen, 0.001, 12_000, "0.1%"))
    after = measured(seen, share, 12_000, value, NOW + later)
    assert (after.signals != seen.status.signals) is written


def test_what_is_known_at_last_is_written_at_once() -> None:
    seen = observed()
    unknown = with_live_signals(seen, seen.status, NOW)
    assert {s.verdict for s in unknown.signals} == {"NoData"}
    known = replace(
        seen,
        status=unknown,
        measurements=replace(
            seen.measurements, figures={"errors": Figure(share=0.0, n=500, value="0%")}
        ),
    )
    (errors,) = (
        s for s in with_live_signals(known, unknown, NOW + 1).signals if s.name == "errors"
    )
    assert (errors.verdict, errors.value) == ("Good", "0%")


def test_an_alarm_is_written_at_once_and_so_is_its_end() -> None:
    seen = observed()
    seen = replace(seen, status=measured(seen, 0.001, 12_000, "0.1%"))
    alarm = Alarm(signal="errors", reason="ErrorsBreached", message="m", at=stamp(NOW), held="x")
    alarmed = seen.status.model_copy(update={"alarm": alarm})
    told = with_live_signals(
        replace(seen, measurements=replace(seen.measurements, figures={})), alarmed, NOW + 15
    )
    assert errors(told).verdict == "Bad"
    over = told.model_copy(update={"alarm": None})
    assert errors(with_live_signals(seen, over, NOW + 30)).verdict != "Bad"


def looping(looping: int, ready: int, desired: int = 2) -> str:
    raw = good()["spec"]
    raw["constraints"]["scale"]["replicas"] = {"min": desired, "max": desired}
    seen = observed(raw)
    live = live_of(seen)
    assert live is not None
    arm = RevisionPods(
        live.revision.short, looping=looping, ready=ready, down=looping, detail="crash loop"
    )
    failing = live_of(replace(seen, pods={live.revision.short: arm}))
    assert failing is not None
    return failing.failing_pods()


def test_pods_are_a_reason_only_when_they_end_again_and_again_and_too_few_are_left() -> None:
    assert looping(looping=2, ready=0).startswith("0 of 2 pods ready")
    assert looping(looping=1, ready=1)
    assert not looping(looping=1, ready=7, desired=8)
    assert not looping(looping=0, ready=0)


@pytest.mark.parametrize(
    ("response", "reason"), [("Rollback", "SignalLost"), ("Hold", "SignalLost"), ("Alert", "other")]
)
def test_what_serves_is_not_trusted_while_a_signal_that_may_act_has_no_data(response, reason):
    seen = with_status(observed(leaking(response)), signals=(LEAKS,))
    word, found, why = trust(seen, seen.status)
    assert (found == "SignalLost") is (reason == "SignalLost")
    if found == "SignalLost":
        assert word == "Unknown" and "signals/leaks: the query returns nothing" in why


@pytest.mark.parametrize(
    ("response", "since", "alerted"),
    [("Rollback", 600, True), ("Hold", 600, True), ("Hold", 200, False), ("Alert", 600, False)],
)
def test_a_signal_without_data_is_alerted_of_after_five_minutes(response, since, alerted):
    signal = LEAKS.model_copy(update={"at": stamp(NOW - since)})
    seen = with_status(observed(leaking(response)), signals=(signal,))
    found = [dict(a.labels) for a in alerts(seen, seen.status, NOW)]
    told = [(a["alertname"], a["reason"], a["signal"]) for a in found]
    assert told == [("MeritMetricsLost", "SignalLost", "signals/leaks")] * alerted


def test_what_no_comparison_can_tell_is_left_to_a_person_and_said_plainly() -> None:
    raw = good()["spec"]
    raw["goal"]["kpi"] = {"query": "sum(fraud)", "min": "40"}
    raw["failureModes"].append({"name": "value", "signal": "kpi", "response": "Rollback"})
    seen = observed(raw)
    bad = Signal(name="kpi", value="12", bar=">= 40", verdict="Bad")
    status = seen.status.model_copy(update={"signals": (bad,)})
    assert "merit.dev/rollback" in not_comparable(seen, status)
    counted = Signal(name="errors", value="9%", bar="1%", n=100, verdict="Bad")
    assert not not_comparable(seen, seen.status.model_copy(update={"signals": (counted,)}))


def test_a_rollback_returns_to_what_was_promoted_and_not_rejected_since() -> None:
    seen = observed()
    other = good()["spec"]
    other["model"]["version"] = "1"
    spec, identity = parse_spec(other, name="fraud"), identify(other)
    assert isinstance(spec, Spec)
    record = Accepted(name="fraud", identity=identity, spec=spec, deployment={}, service={})
    entry = Promotion(
        revision=identity.revision,
        short=identity.short,
        policy=identity.policy,
        version="1",
        at=stamp(NOW - 7200),
    )
    accepted = {**seen.recorded.accepted, identity.key: record}
    status = seen.status.model_copy(update={"promoted": (entry,)})
    back = predecessor(status, accepted)
    assert back is not None and back.version == "1"
    assert predecessor(status, seen.recorded.accepted) is None  # its record is gone

    def fell(at: float) -> Status:
        fallen = Rejection(
            revision=identity.revision, stage="Rollout", policy="h1:other", reason="x", at=stamp(at)
        )
        return status.model_copy(update={"rejected": (fallen,)})

    assert predecessor(fell(NOW - 60), accepted) is None  # under whatever bars
    assert predecessor(fell(NOW - 9000), accepted) is not None  # and promoted again since


def test_without_a_metrics_source_a_live_object_decides_nothing() -> None:
    decision = decide(observed(), NOW)
    assert decision.status.alarm is None and decision.status.comparison is None


def test_a_comparison_counts_latency_from_the_first_look_that_began_after_the_warm_up():
    seen = observed()
    stable = seen.status.stable
    assert stable is not None
    probe = Comparison(
        revision="h1:" + "0" * 64, short="0" * 8, policy=stable.policy, version="1",
        promoted_at=stamp(NOW - 7200), began=stamp(NOW - 60), since=stamp(NOW), floor=2,
        stage="Comparing", weight=50,
    )  # fmt: skip
    seen = replace(seen, status=seen.status.model_copy(update={"comparison": probe}))
    counts = Counts(100, 0), Counts(100, 0)
    pair, names = ArmPair(*counts, *counts), [bar.name for bar in bars(live_of(seen).accepted.spec)]
    counted = []
    for since, at in ((None, 0.0), (0.0, 15.0), (15.0, 30.0), (30.0, 45.0)):
        began = None if since is None else NOW + since
        seen = with_comparison_evidence(
            replace(
                seen,
                measurements=replace(
                    seen.measurements,
                    comparison=Sample(NOW + at, began, dict.fromkeys(names, pair)),
                ),
            )
        )
        counted.append([s.canary for s in seen.status.comparison.analysis.signals])
    errors = [told[names.index("errors")] for told in counted]
    assert errors == ["0 0", "100 0", "200 0", "300 0"]
    slow = [told[1 - names.index("errors")] for told in counted]
    assert slow == ["0 0", "0 0", "0 0", "100 0"]
