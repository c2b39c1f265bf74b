"""The load report: what is read, what is refused and by which reason, and no bytes that crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from merit.loadtest.counts import Counts
from merit.loadtest.plan import Bar, Plan
from merit.policy.gates.feasibility.load_report import LoadReport, parse_load
from merit.policy.state.verdict import Verdict

PLAN = Plan(120.0, 60.0, (Bar("latency.p99", 0.01, 120.0), Bar("errors", 0.01)), (60.0, 120.0))
GOOD: dict[str, Any] = {
    "schema": "merit.dev/load/v1",
    "revision": "h1:aa",
    "nonce": "bb",
    "replicas": 2,
    "le": [60, 120],
    "stages": [
        {
            "rps": 120,
            "s": 60,
            "due": 7200,
            "sent": 7196,
            "done": 7190,
            "failed": 6,
            "lag99": 2.1,
            "n": [7000, 100, 96],
        }
    ],
}
COUNTS: dict[str, Any] = {"sent": 7205, "good": 7190, "s": 75.5}


def parse(report: Any) -> LoadReport | Verdict:
    text = report if isinstance(report, str) else json.dumps(report)
    return parse_load(text, revision="h1:aa", nonce="bb", plan=PLAN)


def changed(**change: Any) -> dict[str, Any]:
    """The good report with its only stage changed."""
    return GOOD | {"stages": [GOOD["stages"][0] | change]}


def test_a_report_is_read() -> None:
    report = parse(GOOD)
    assert isinstance(report, LoadReport)
    (stage,) = report.stages
    assert (report.replicas, stage.rps, stage.sent, stage.lag99) == (2, 120.0, 7196, 2.1)
    assert (stage.refused, stage.throttled) == (0, 0.0)


def test_what_the_pods_counted_is_read_or_why_it_is_unknown() -> None:
    given = {"none": {}, "seen": {"counts": COUNTS | {"seen": 7204}}}
    given["why"] = {"counts": COUNTS | {"why": "answers\n404"}}
    found = {name: parse(GOOD | more) for name, more in given.items()}
    assert {name: report.counts for name, report in found.items()} == {
        "none": None,
        "seen": Counts(7205, 7190, 75.5, 7204),
        "why": Counts(7205, 7190, 75.5, None, "answers 404"),
    }


def test_the_hash_of_the_bodies_is_read() -> None:
    report = parse(GOOD | {"bodies": {"n": 2, "sha256": "a" * 64}})
    assert isinstance(report, LoadReport) and report.bodies == "2, sha256:" + "a" * 64


REFUSED = {
    "no JSON": ("{", "Malformed"),
    "a list": ([], "Malformed"),
    "NaN": (json.dumps(GOOD).replace("2.1", "NaN"), "Malformed"),
    "Infinity": (json.dumps(GOOD).replace("2.1", "Infinity"), "Malformed"),
    "1e999": (json.dumps(GOOD).replace("2.1", "1e999"), "Malformed"),
    "a key twice": (json.dumps(GOOD).replace("{", '{"nonce": "bb", ', 1), "Malformed"),
    "another schema": (GOOD | {"schema": "merit.dev/load/v2"}, "UnknownSchema"),
    "another run": (GOOD | {"nonce": "cc"}, "StaleReport"),
    "another revision": (GOOD | {"revision": "h1:cc"}, "StaleReport"),
    "too large": (json.dumps(GOOD) + " " * 4096, "ReportTooLarge"),
    "cut off": (json.dumps(GOOD | {"x": "y" * 5000})[:4096], "ReportTooLarge"),
    "no replicas": (GOOD | {"replicas": 0}, "Malformed"),
    "no edges": (GOOD | {"le": []}, "Malformed"),
    "edges that fall": (GOOD | {"le": [120, 60]}, "Malformed"),
    "no edge at the limit": (GOOD | {"le": [60, 121]}, "Malformed"),
    "no stages": (GOOD | {"stages": []}, "Malformed"),
    "eleven stages": (GOOD | {"stages": GOOD["stages"] * 11}, "Malformed"),
    "a rate that was not asked for": (changed(rps=119), "Malformed"),
    "an unknown key": (changed(passed=True), "Malformed"),
    "bins that do not add up": (changed(n=[7000, 100, 95]), "Malformed"),
    "more bins than edges": (changed(n=[7000, 100, 96, 0]), "Malformed"),
    "sent is not done and failed": (changed(done=7000), "Malformed"),
    "more sent than due": (changed(due=7000), "Malformed"),
    "failed requests among the fast ones": (changed(n=[7100, 95, 1]), "Malformed"),
    "a negative count": (changed(failed=-6, done=7202), "Malformed"),
    "a count that is no whole number": (changed(sent=7196.0), "Malformed"),
    "a lag below nothing": (changed(lag99=-1), "Malformed"),
    "bodies without a hash": (GOOD | {"bodies": {"n": 2}}, "Malformed"),
    "a hash that is none": (GOOD | {"bodies": {"n": 2, "sha256": "A" * 64}}, "Malformed"),
    "no bodies with a hash": (GOOD | {"bodies": {"n": 0, "sha256": "a" * 64}}, "Malformed"),
    "counts that are no object": (GOOD | {"counts": []}, "Malformed"),
    "an unknown key of counts": (GOOD | {"counts": COUNTS | {"by": 1}}, "Malformed"),
    "more good answers than requests": (GOOD | {"counts": COUNTS | {"good": 7206}}, "Malformed"),
    "a count of the pods below 0": (GOOD | {"counts": COUNTS | {"seen": -1}}, "Malformed"),
    "a why that is no text": (GOOD | {"counts": COUNTS | {"why": 1}}, "Malformed"),
    "more refused than answered": (changed(refused=7191), "Malformed"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_report_is_refused_for(what: str) -> None:
    report, reason = REFUSED[what]
    verdict = parse(report)
    assert isinstance(verdict, Verdict)
    assert (verdict.kind, verdict.reason) == ("Undecided", reason), verdict.message


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.binary(max_size=5000).map(lambda b: b.decode("utf-8", "replace")), st.text()))
def test_no_bytes_make_it_raise(text: str) -> None:
    assert isinstance(parse(text), Verdict)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)


@settings(deadline=None, max_examples=200)
@given(
    key=st.sampled_from([*GOOD, *GOOD["stages"][0]]),
    value=st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=6),
)
def test_no_value_anywhere_makes_it_raise(key: str, value: Any) -> None:
    report = GOOD | {key: value} if key in GOOD else changed(**{key: value})
    assert isinstance(parse(report), LoadReport | Verdict)
