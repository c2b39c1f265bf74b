"""The guarantee, measured: the shipped decisions under healthy traffic and under defects.

    python -m bench.guarantee --runs 1000 --jobs 8

prints the tables of docs/evidence.md: false rollbacks under nine kinds of healthy traffic, and
how often, how soon and after how many bad requests each defect is caught.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.plans import RPS, plan_at, service_of
from merit.simulate.scenarios import DEFECTS, HEALTHY, LATE_DEFECTS, SHARED_DEFECTS, Scenario
from merit.simulate.study import Study, StudyResult
from merit.stats import bounds

HORIZON = 3600.0
SEED = 20261126


def cell(task: tuple[Scenario, float, int, float, int]) -> tuple[float, StudyResult]:
    """One kind at one traffic."""
    scenario, rps, runs, scrape, seed = task
    found = plan_at(rps, scrape=scrape)
    study = Study(found, service_of(found), scenario, seed=seed, horizon=HORIZON)
    return rps, study.summarise(list(study.rollouts(range(runs))))


def main() -> int:
    """Run the grid and print it. Returns 0, or 1 if a bound of the guarantee is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.guarantee", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="rollouts a healthy cell")
    parser.add_argument("--scrape", type=float, default=15.0, help="seconds between two samples")
    parser.add_argument("--only", default="", help="healthy, defects, watch, or part of a name")
    parser.add_argument("--rps", type=int, nargs="+", default=RPS, help="only these")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, default=SEED, help="another one: other rollouts")
    parser.add_argument("--json", type=Path, help="where to write every cell")
    parser.add_argument(
        "--join", type=Path, nargs="+", help="add up what --json wrote; run nothing"
    )
    chosen = parser.parse_args()
    if chosen.join:
        print(joined([json.loads(path.read_text()) for path in chosen.join]))
        return 0
    tasks = [
        (scenario, float(rps), runs, chosen.scrape, chosen.seed)
        for what, scenarios, runs in (
            ("healthy", HEALTHY, chosen.runs),
            ("defects", DEFECTS, max(1, chosen.runs // 2)),
            ("watch", (*SHARED_DEFECTS, *LATE_DEFECTS), max(1, chosen.runs // 2)),
        )
        for scenario in scenarios
        for rps in chosen.rps
        if chosen.only in f"{what} {scenario.name}"
    ]
    found: list[tuple[float, StudyResult]] = []
    began = time.monotonic()
    with multiprocessing.Pool(chosen.jobs) as pool:
        for rps, result in pool.imap(cell, tasks):
            found.append((rps, result))
            took = time.monotonic() - began
            print(f"{took:6.0f}s {rps:6g} rps  {summary(result)}", file=sys.stderr, flush=True)
    if chosen.json:
        rows = [{"rps": rps, "seed": chosen.seed, **asdict(c)} for rps, c in found]
        chosen.json.write_text(json.dumps(rows))
    print(tables(found))
    return (
        0
        if holds([c for _, c in found if not c.scenario.defective and not c.scenario.defect_after])
        else 1
    )


def summary(result: StudyResult) -> str:
    """One cell in a line."""
    when = "never" if result.caught_after is None else f"{result.caught_after:.0f}s"
    return (
        f"{result.scenario.name:32} rolled back {result.rolled_back}/{result.runs} ({when}), "
        f"bad {result.bad:.1f}, promoted {result.promoted} ({_minutes(result)})"
    )


def _minutes(result: StudyResult) -> str:
    after = result.promoted_after
    return "never" if after is None else f"{after / 60:.1f} min"


def holds(healthy: list[StudyResult]) -> bool:
    """False rollbacks: no cell is surely above 1 %, and all together not above 0.1 %."""
    false, runs = sum(c.rolled_back for c in healthy), sum(c.runs for c in healthy)
    each = all(bounds.lower_bound(c.rolled_back, c.runs, 0.01) <= 0.01 for c in healthy)
    return each and (not runs or bounds.lower_bound(false, runs, 0.01) <= 0.001)


def tables(found: list[tuple[float, StudyResult]]) -> str:
    """The three tables as Markdown."""
    healthy = [c for _, c in found if not c.scenario.defective and not c.scenario.defect_after]
    rows = ["| healthy traffic | 2 rps | 20 rps | 200 rps | 2000 rps |", "|---|---|---|---|---|"]
    for scenario in HEALTHY:
        rows += _row(scenario, found, lambda c: f"{100 * c.rolled_back / c.runs:.1f} %")
    false, runs = sum(c.rolled_back for c in healthy), sum(c.runs for c in healthy)
    rows += [
        "",
        f"{false} false rollbacks in {runs:,} healthy rollouts: "
        f"at most {bounds.upper_bound(false, max(1, runs), 0.01):.3%} (99 %).",
        "",
        "| defect | 2 rps | 20 rps | 200 rps | 2000 rps |",
        "|---|---|---|---|---|",
    ]
    for scenario in DEFECTS:
        rows += _row(scenario, found, _caught)
    rows += [
        "",
        "| after promotion | 2 rps | 20 rps | 200 rps | 2000 rps |",
        "|---|---|---|---|---|",
    ]
    for scenario in (*SHARED_DEFECTS, *LATE_DEFECTS):
        rows += _row(scenario, found, _caught)
    return "\n".join(rows)


def joined(parts: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """The table of healthy traffic over several invocations, each with a seed of its own.

    Raises ValueError if the same rollouts are there twice.
    """
    cells = [row for part in parts for row in part if row["scenario"]["name"] in _names(HEALTHY)]
    keys = [(row["scenario"]["name"], row["rps"], row["seed"]) for row in cells]
    if len(set(keys)) < len(keys):
        raise ValueError("the same rollouts would count twice: give every invocation a --seed")
    counts: dict[tuple[str, float], tuple[int, int]] = {}
    for row in cells:
        key = row["scenario"]["name"], row["rps"]
        false, runs = counts.get(key, (0, 0))
        counts[key] = false + row["rolled_back"], runs + row["runs"]
    rows = ["| healthy traffic | 2 rps | 20 rps | 200 rps | 2000 rps |", "|---|---|---|---|---|"]
    for name in _names(HEALTHY):
        shown = [f"{f} of {n}" for (scenario, _), (f, n) in counts.items() if scenario == name]
        rows += [f"| {name} | {' | '.join(shown)} |"] if shown else []
    false, runs = (sum(part) for part in zip(*counts.values(), strict=True))
    limit = bounds.upper_bound(false, runs, 0.01)
    return "\n".join([*rows, "", f"{false} in {runs:,}: the rate is at most {limit:.3%} (99 %)."])


def _names(scenarios: Sequence[Scenario]) -> list[str]:
    return [scenario.name for scenario in scenarios]


def _row(
    scenario: Scenario, found: list[tuple[float, StudyResult]], shown: Callable[[StudyResult], str]
) -> list[str]:
    cells = [shown(c) for _, c in found if c.scenario.name == scenario.name]
    return [f"| {scenario.name} | {' | '.join(cells)} |"] if cells else []


def _caught(c: StudyResult) -> str:
    share = f"{100 * c.rolled_back / c.runs:.0f} %"
    if c.caught_after is None:
        return f"{share} · **{c.bad:,.0f}**"
    s = c.caught_after
    when = f"{s:.0f}s" if s < 120 else f"{s / 60:.1f}m"
    bad = f"{c.bad:.1f}" if c.bad < 10 else f"{c.bad:,.0f}"
    return f"{share} · {when} · **{bad}**"


if __name__ == "__main__":
    sys.exit(main())
