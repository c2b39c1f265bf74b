"""`python -m merit.loadtest`: the load test that MERIT_LOAD_PLAN asks for, and its report.

The kubelet puts /dev/termination-log into the pod's status: no volume, no credentials, and no
network except to the pods under test. Exit code 1, with a sentence instead of a report, if vegeta
fails: that shows nothing about the model.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from merit.loadtest import vegeta
from merit.loadtest.fold import NS, fold, is_failure, surely_lost
from merit.loadtest.order import Order, load_order
from merit.loadtest.plan import REST, Stage, next_stage
from merit.loadtest.report import encode
from merit.loadtest.tally import Tally

BODIES = "/etc/merit/bodies"
REPORT = "/dev/termination-log"


def main() -> int:
    """0 with a report, whatever its result; 1 without one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Path(os.environ.get("MERIT_REPORT", REPORT))
    try:
        order = load_order(os.environ["MERIT_LOAD_PLAN"])
        where = Path(os.environ.get("MERIT_BODIES", BODIES))
        bodies = vegeta.bodies(where) if order.bodies else []
        tally = Tally(order)
        stages = run(order, bodies, tally, say=_say)
        counts = tally.counts()
    except (vegeta.Failed, OSError, ValueError, KeyError, TypeError) as error:
        report.write_text(f"{type(error).__name__}: {error}"[:1000])
        _say(f"no report: {error}")
        return 1
    text = encode(
        order.plan,
        stages,
        replicas=len(order.targets),
        revision=os.environ["MERIT_REVISION"],
        nonce=os.environ["MERIT_NONCE"],
        counts=counts,
        bodies=bodies,
    )
    report.write_text(text)
    _say(text)
    return 0


def run(
    order: Order, bodies: Sequence[bytes], tally: Tally, *, say: Callable[[str], None]
) -> list[Stage]:
    """Warm up, then stage after stage, until the plan has no next one. Raises Failed."""
    plan = order.plan
    if order.bodies and not bodies:
        raise vegeta.Failed(f"ConfigMap {order.bodies} is not there, or holds no request body")
    lines = "".join(vegeta.targets(order, bodies))
    say(f"warm-up: {plan.rate / 4:g}/s for {plan.warmup:g} s on {len(order.targets)} pods")
    tally.add(vegeta.attack(order, lines, plan.rate / 4, plan.warmup))
    stages: list[Stage] = []
    while (following := next_stage(plan, stages)) is not None:
        rate, seconds = following
        if stages:
            settle(order, lines, tally)
        say(f"stage {len(stages) + 1}: {rate:g}/s for {seconds:.4g} s")
        before = vegeta.throttling()
        due = vegeta.due(rate, seconds)
        over = partial(surely_lost, due=due, plan=plan)
        results = vegeta.attack(order, lines, rate, seconds, lost=over)
        tally.add(results)
        stage = fold(
            results,
            rps=rate,
            s=seconds,
            due=due,
            le=plan.le,
            throttled=vegeta.throttling().share_since(before),
        )
        ended = f" (lost after {stage.s:.3g} s)" if results.cut else ""
        say(f"  sent {stage.sent} of {stage.due}{ended}, {stage.failed} failed, {list(stage.n)}")
        stages.append(stage)
    return stages


def settle(order: Order, lines: str, tally: Tally) -> None:
    """Wait until every pod answers a single request in time.

    A server continues with requests that have timed out; they must not slow the next stage.
    """
    limits = [bar.limit for bar in order.plan.bars if bar.limit is not None]
    limit, end = min(limits, default=1000.0) * NS, time.monotonic() + REST
    while time.monotonic() < end:
        found = vegeta.attack(order, lines, float(len(order.targets)), 1.0)
        tally.add(found)
        answered = not any(is_failure(code) for code in found.code)
        if answered and max(found.latency, default=0) <= limit:
            return


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
