"""The load generator with the real vegeta against servers whose delay is known."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from e2e.cluster.build import binary
from e2e.images.build import LOAD
from merit.loadtest import vegeta
from merit.loadtest.__main__ import settle
from merit.loadtest.counts import disagreement
from merit.loadtest.fold import fold, surely_lost
from merit.loadtest.order import Counter, Order, Scrape, load_order
from merit.loadtest.plan import SENT, Bar, Plan, Stage, bad_of, edges, invalid_reason, stage_verdict
from merit.loadtest.tally import Tally
from merit.policy.gates.feasibility.load_report import LoadReport, parse_load
from tests.loadtest.server import TimedServer, fixed, queueing, serving, shedding, stalling

COUNTER = (Counter(("model_requests_total",)),)
OPERATOR = Path(__file__).parents[2] / "operator"


@pytest.fixture(autouse=True)
def path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of the tools image, under its own name."""
    place = tmp_path_factory.mktemp("bin") / "vegeta"
    place.symlink_to(binary("vegeta"))
    monkeypatch.setenv("PATH", str(place.parent), prepend=os.pathsep)


def order(*servers: TimedServer, rate: float = 100.0, limit: float = 500.0) -> Order:
    bars = (Bar("latency.p99", 0.01, limit), Bar("errors", 0.01))
    plan = Plan(rate, 1.0, bars, edges((limit,)))
    headers = {"X-Test": "yes"}
    targets = tuple(s.url for s in servers)
    return Order(plan, targets, "POST", "/predict", headers, bodies="samples")


def measured(
    asked: Order, seconds: float, bodies: tuple[bytes, ...] = (), *, may_end: bool = False
) -> Stage:
    rate = asked.plan.rate
    lines, due = "".join(vegeta.targets(asked, bodies)), vegeta.due(rate, seconds)
    over = partial(surely_lost, due=due, plan=asked.plan) if may_end else lambda _: False
    results = vegeta.attack(asked, lines, rate, seconds, lost=over)
    return fold(results, rps=rate, s=seconds, due=due, le=asked.plan.le, throttled=0.0)


def all_sent(stage: Stage) -> bool:
    """Enough for the gate: it accepts no less."""
    return stage.sent >= SENT * stage.due


def measured_whole(asked: Order, seconds: float) -> Stage:
    """A stage that was sent: on a busy machine vegeta may be too late for the end of a short one.

    The gate does not judge such a stage either, but calls it GeneratorSaturated.
    """
    for _ in range(10):
        stage = measured(asked, seconds)
        if all_sent(stage):
            return stage
    raise AssertionError(f"sent {stage.sent} of {stage.due}")


def slower(stage: Stage, asked: Order, limit: float) -> float:
    return bad_of(stage, asked.plan.le, Bar("latency.p99", 0.01, limit)) / stage.sent


def test_a_fixed_delay_is_seen_as_it_is() -> None:
    with serving(fixed(0.06)) as server:
        asked = order(server)
        stage = measured_whole(asked, 2.0)
    assert stage.due == 200
    assert slower(stage, asked, 50.0) == 1.0
    assert slower(stage, asked, 500.0) < 0.1  # a busy machine may be late, not that late


def test_a_queue_that_grows_is_seen_whole() -> None:
    with serving(queueing(0.02)) as server:  # 50 a second at most
        asked = order(server)
        stage = measured(asked, 3.0)
    # In whatever order: half a second after the last of 300 at most 175 are done.
    assert slower(stage, asked, 500.0) >= 0.4
    assert stage_verdict(stage, asked.plan.le, asked.plan.bars) == "Bad"


def test_a_stall_of_two_seconds_shows_in_p99() -> None:
    with serving(stalling(at=100, seconds=2.0)) as server:
        asked = order(server)
        stage = measured(asked, 4.0)
    # Sent on, as planned, while the server stood still: a closed loop would show one slow request.
    assert stage.due == 400 and all_sent(stage)
    assert 0.2 <= slower(stage, asked, 1000.0) <= 0.5
    assert stage_verdict(stage, asked.plan.le, asked.plan.bars) == "Bad"


def test_a_stage_that_is_bad_whatever_follows_ends_and_is_as_long_as_it_was() -> None:
    with serving(shedding(0.0, burst=0)) as server:
        asked = order(server)
        stage = measured(asked, 10.0, may_end=True)
    assert stage.sent == stage.due == server.seen < 500, "of 1,000"
    assert stage.s == stage.sent / 100
    assert stage_verdict(stage, asked.plan.le, asked.plan.bars) == "Bad"
    assert not invalid_reason(stage, asked.plan.le, asked.plan.bars)[0]


def test_a_stage_that_a_wider_bound_would_save_is_sent_whole() -> None:
    with serving(fixed(0.2)) as server:
        asked = order(server, limit=100.0)
        stage = measured(asked, 3.0, may_end=True)
    assert stage_verdict(stage, asked.plan.le, asked.plan.bars) == "Bad"
    assert stage.due == 300 and all_sent(stage)


def test_a_request_without_an_answer_is_slow_and_failed() -> None:
    with serving(fixed(7.0)) as server:
        asked = order(server, rate=4.0, limit=100.0)
        stage = measured_whole(asked, 1.0)
    assert (stage.sent, stage.done, stage.failed) == (4, 0, 4)
    assert stage.n[-1] == 4


def test_with_a_closed_port_every_request_failed() -> None:
    with serving(fixed(0.0)) as server:
        asked = order(server)
    stage = measured_whole(asked, 0.5)
    assert stage.failed == stage.sent


@pytest.mark.parametrize(
    ("code", "failed", "refused"),
    [
        (204, False, False),
        (302, False, True),
        (404, False, True),
        (429, True, False),
        (503, True, False),
    ],
)
def test_answers_are_classified(code: int, failed: bool, refused: bool) -> None:
    with serving(fixed(0.0, code)) as server:
        stage = measured_whole(order(server), 0.4)
    assert (stage.failed, stage.refused) == (stage.sent * failed, stage.sent * refused)


def test_bodies_go_in_turn_to_every_pod_over_few_connections() -> None:
    bodies = (b"one", b"two", b"three")
    with serving(fixed(0.0)) as a, serving(fixed(0.0)) as b:
        stage = measured(order(a, b), 3.0, bodies)
    assert all_sent(stage)
    assert abs(a.seen - b.seen) <= 1
    for server in (a, b):
        assert server.bodies.keys() == set(bodies)
        assert max(server.bodies.values()) - min(server.bodies.values()) <= 1
        assert server.headers == {"yes": server.seen}
        assert server.connections <= 40


def test_a_rate_with_a_fraction_is_kept() -> None:
    with serving(fixed(0.0)) as server:
        stage = measured_whole(order(server, rate=31.25), 2.0)
    assert stage.due == 62


def test_the_container_halves_until_it_holds_and_its_report_is_one(tmp_path: Path) -> None:
    _body(tmp_path)
    with serving(shedding(140.0, burst=100)) as server:
        asked = order(server, rate=400.0)
        asked = replace(asked, plan=replace(asked.plan, bars=(Bar("errors", 0.01),)))
        asked = replace(asked, scrape=Scrape(server.port, "/metrics", COUNTER))
        done = _container(asked, tmp_path)
    assert done.returncode == 0, done.stderr
    report = parse_load(
        (tmp_path / "log").read_text(), revision="h1:aa", nonce="bb", plan=asked.plan
    )
    assert isinstance(report, LoadReport), report
    rates = [stage.rps for stage in report.stages]
    assert rates == [400.0, 200.0, 100.0]
    counts = report.counts
    assert counts and counts.seen == counts.sent == server.seen, counts
    assert not disagreement(counts, report.replicas)
    assert server.bodies.keys() == {b"{}"}
    assert re.fullmatch("1, sha256:[0-9a-f]{64}", report.bodies)


def test_a_stage_begins_when_the_pods_have_worked_off_what_the_last_one_left() -> None:
    busy = time.monotonic() + 2.5

    def answer(_: int) -> int:
        time.sleep(0.6 if time.monotonic() < busy else 0.0)
        return 200

    with serving(answer) as server:
        asked = order(server, limit=400.0)
        settle(asked, "".join(vegeta.targets(asked, ())), Tally(asked))
    assert time.monotonic() >= busy
    assert server.seen <= 6


def test_without_vegeta_there_is_a_sentence_and_exit_code_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _body(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with serving(fixed(0.0)) as server:
        done = _container(order(server), tmp_path)
    assert done.returncode == 1
    assert "vegeta" in (tmp_path / "log").read_text()


def test_without_bodies_there_is_a_sentence_that_names_the_config_map(tmp_path: Path) -> None:
    with serving(fixed(0.0)) as server:
        done = _container(order(server), tmp_path)
    assert done.returncode == 1
    assert "ConfigMap samples" in (tmp_path / "log").read_text()


def _body(tmp: Path) -> None:
    (tmp / "bodies").mkdir()
    (tmp / "bodies" / "a.json").write_bytes(b"{}")
    (tmp / "bodies" / "..data").mkdir()  # a ConfigMap's volume has such links


def _container(asked: Order, tmp: Path) -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(OPERATOR),
        "MERIT_LOAD_PLAN": asked.dump(),
        "MERIT_REVISION": "h1:aa",
        "MERIT_NONCE": "bb",
        "MERIT_REPORT": str(tmp / "log"),
        "MERIT_BODIES": str(tmp / "bodies"),
    }
    # -S: as in the image, without any package.
    return subprocess.run(
        [sys.executable, "-S", "-m", "merit.loadtest"],
        env=given,
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_the_image_of_the_generator_has_every_module_that_it_imports(tmp_path: Path) -> None:
    shutil.copytree(OPERATOR / "merit/loadtest", tmp_path / "merit/loadtest")
    shutil.copy(OPERATOR / "merit/__init__.py", tmp_path / "merit")
    (tmp_path / "merit/stats").mkdir()
    for module in LOAD:
        shutil.copy(OPERATOR / "merit/stats" / module, tmp_path / "merit/stats")
    command = [sys.executable, "-S", "-I", "-c"]
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import merit.loadtest.__main__"
    done = subprocess.run([*command, code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_order_comes_back_as_it_was_sent() -> None:
    with serving(fixed(0.0)) as server:
        asked = order(server)
    assert load_order(asked.dump()) == asked
    counter = Counter(("a_total", "b_total"), {"method": "POST"}, {"path": ("/readyz",)})
    scraped = replace(asked, scrape=Scrape(9000, "/stats", (counter,)))
    assert load_order(scraped.dump()) == scraped
    told = replace(asked, uncounted="no preset")
    assert load_order(told.dump()) == told
    assert json.loads(asked.dump())["rate"] == 100.0
