"""Folding results into counts, the report's size, and what the kernel says of throttling."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from merit.loadtest.counts import Counts
from merit.loadtest.fold import Results, fold
from merit.loadtest.plan import Bar, Plan, Stage, bad_of, edges, invalid_reason
from merit.loadtest.report import FITS, encode
from merit.loadtest.vegeta import Throttling, throttling
from merit.policy.gates.feasibility.load_report import LoadReport, parse_load

MS = 1_000_000
STEP = 10 * MS  # 100 requests a second


def folded(*rows: tuple[int, float, float, int]) -> Stage:
    """Rows: sequence number, ms late, ms until the answer, status code."""
    results = Results()
    for seq, late, took, code in rows:
        at = 1_700_000_000_000_000_000 + seq * STEP + int(late * MS)
        results.add(seq=seq, at=at, latency=int(took * MS), code=code, interval=STEP)
    return fold(results, rps=100.0, s=1.0, due=100, le=(10.0, 50.0), throttled=0.0)


def test_latency_counts_from_the_moment_a_request_was_meant_to_be_sent() -> None:
    stage = folded((0, 0, 5, 200), (1, 30, 5, 200), (2, 60, 5, 200))
    assert stage.n == (1, 1, 1)
    assert stage.lag99 == 60.0


def test_the_edge_itself_is_within_the_limit() -> None:
    assert folded((0, 0, 10, 200), (1, 0, 10.001, 200)).n == (1, 1, 0)


def test_a_generator_that_is_always_as_late_is_not_late() -> None:
    assert folded(*((seq, 7, 5, 200) for seq in range(50))).lag99 == 0.0


def test_results_may_come_in_any_order() -> None:
    rows = [(seq, 0.0, float(seq), 200) for seq in range(100)]
    random.Random("order").shuffle(rows)
    assert folded(*rows).n == (11, 40, 49)


@pytest.mark.parametrize("code", [0, 429, 500, 503, 599])
def test_a_failed_request_is_slow_too_however_quickly_it_failed(code: int) -> None:
    stage = folded((0, 0, 1, code))
    assert (stage.failed, stage.done, stage.n) == (1, 0, (0, 0, 1))


@pytest.mark.parametrize("code", [301, 302, 307, 308, 400, 404, 101, 304])
def test_only_2xx_is_an_answer_of_the_model_and_all_else_blames_the_request(code: int) -> None:
    stage = folded((0, 0, 1, code), (1, 0, 1, 200), (2, 0, 1, 204))
    assert (stage.refused, stage.failed) == (1, 0)


def test_a_load_test_that_met_a_redirect_has_not_asked_the_model() -> None:
    stage = folded(*((seq, 0, 1, 307) for seq in range(100)))
    reason, why = invalid_reason(stage, (10.0, 50.0), ())
    assert reason == "BadRequest" and "100 of 100 answers are not 2xx" in why


def test_a_stage_of_nothing_has_no_counts() -> None:
    stage = folded()
    assert (stage.sent, stage.due, stage.lag99, stage.n) == (0, 100, 0.0, (0, 0, 0))


def plan(limits: tuple[float, ...]) -> Plan:
    bars = tuple(Bar(f"latency.p{n}", 0.01, limit) for n, limit in enumerate(limits))
    return Plan(1e6, 60.0, bars, edges(limits))


def test_the_fullest_report_still_fits_and_says_the_same_about_every_limit() -> None:
    asked = plan((17.3, 99.9, 250.0, 1234.0))
    rng = random.Random("full")
    stages = []
    for k in range(5):
        for _ in range(2):
            n = tuple(rng.randrange(10**7, 10**8) for _ in range(len(asked.le) + 1))
            sent = sum(n)
            stages.append(Stage(1e6 / 2**k, 60.123, sent, sent, sent, 0, n, 1234.567, 9, 0.25))
    counts = Counts(10**9, 10**9, 6000.0, None, "y" * 300)
    bound = {"revision": "h1:" + "a" * 64, "nonce": "b" * 16}
    text = encode(asked, stages, replicas=1000, counts=counts, **bound)
    assert len(text.encode()) <= FITS
    report = parse_load(text, plan=asked, **bound)
    assert isinstance(report, LoadReport), report
    assert report.counts == Counts(10**9, 10**9, 6000.0, None, "y" * 160)
    for before, after in zip(stages, report.stages, strict=True):
        for bar in asked.bars:
            assert bad_of(before, asked.le, bar) == bad_of(after, report.le, bar)
        assert (before.rps, before.lag99, before.refused) == (
            after.rps,
            after.lag99,
            after.refused,
        )


def test_a_usual_report_is_small() -> None:
    asked = plan((100.0,))
    n = (5000, 300, *(0,) * (len(asked.le) - 1))
    stages = [Stage(1e6 / 2**k, 60.0, 5300, 5300, 5300, 0, n) for k in range(5)]
    counts = Counts(26_500, 26_500, 300.0, 26_500)
    bound = {"revision": "h1:" + "a" * 64, "nonce": "b" * 16}
    text = encode(asked, stages, replicas=2, counts=counts, **bound)
    assert len(text) < 1200


def test_other_bodies_have_another_hash_and_the_same_ones_the_same() -> None:
    asked = plan((100.0,))
    stage = Stage(1e6, 1.0, 1, 1, 1, 0, (1, *(0,) * len(asked.le)))

    def told(*bodies: bytes) -> str:
        bound = {"revision": "h1:aa", "nonce": "bb"}
        counts = Counts(1, 1, 1.0)
        text = encode(asked, [stage], replicas=1, counts=counts, bodies=bodies, **bound)
        report = parse_load(text, plan=asked, **bound)
        assert isinstance(report, LoadReport), report
        return report.bodies

    assert told() == ""
    assert told(b"a", b"b") == told(b"a", b"b")
    assert len({told(b"a", b"b"), told(b"b", b"a"), told(b"ab", b""), told(b"ab")}) == 4


def test_throttling_is_read_from_the_kernels_own_file(tmp_path: Path) -> None:
    file = tmp_path / "cpu.stat"
    file.write_text("usage_usec 5\nnr_periods 100\nnr_throttled 10\nthrottled_usec 7\n")
    before = throttling(file)
    file.write_text("usage_usec 9\nnr_periods 200\nnr_throttled 35\nthrottled_usec 9\n")
    assert throttling(file).share_since(before) == 0.25
    file.write_text("usage_usec 5\n")
    assert throttling(file) == throttling(tmp_path / "none") == Throttling()
    assert Throttling().share_since(Throttling()) == 0.0
