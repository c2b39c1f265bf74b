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
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench.plans import RPS, plan_at, service_of
from merit.evidence import bounds
from merit.simulate.kinds import BAD_DAYS, DEFECTS, HEALTHY, LATER, Kind
from merit.simulate.study import Cell, Study

HORIZON = 3600.0
SEED = 20261126


def cell(task: tuple[Kind, float, int, float, int]) -> tuple[float, Cell]:
    """One kind at one traffic."""
    kind, rps, runs, scrape, seed = task
    found = plan_at(rps, scrape=scrape)
    study = Study(found, service_of(found), kind, seed=seed, horizon=HORIZON)
    return rps, study.cell(list(study.courses(range(runs))))


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
    chosen = parser.parse_args()
    tasks = [
        (kind, float(rps), runs, chosen.scrape, chosen.seed)
        for what, kinds, runs in (
            ("healthy", HEALTHY, chosen.runs),
            ("defects", DEFECTS, max(1, chosen.runs // 2)),
            ("watch", (*BAD_DAYS, *LATER), max(1, chosen.runs // 2)),
        )
        for kind in kinds
        for rps in chosen.rps
        if chosen.only in f"{what} {kind.name}"
    ]
    found: list[tuple[float, Cell]] = []
    began = time.monotonic()
    with multiprocessing.Pool(chosen.jobs) as pool:
        for rps, result in pool.imap(cell, tasks):
            found.append((rps, result))
            took = time.monotonic() - began
            print(f"{took:6.0f}s {rps:6g} rps  {told(result)}", file=sys.stderr, flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps([{"rps": rps, **asdict(c)} for rps, c in found]))
    print(tables(found))
    return 0 if holds([c for _, c in found if not c.kind.defective and not c.kind.turns]) else 1


def told(result: Cell) -> str:
    """One cell in a line."""
    when = "never" if result.caught_after is None else f"{result.caught_after:.0f}s"
    return (
        f"{result.kind.name:32} rolled back {result.rolled_back}/{result.runs} ({when}), "
        f"bad {result.bad:.1f}, promoted {result.promoted} ({_minutes(result)})"
    )


def _minutes(result: Cell) -> str:
    after = result.promoted_after
    return "never" if after is None else f"{after / 60:.1f} min"


def holds(healthy: list[Cell]) -> bool:
    """False rollbacks: no cell is surely above 1 %, and all together not above 0.1 %."""
    false, runs = sum(c.rolled_back for c in healthy), sum(c.runs for c in healthy)
    each = all(bounds.lower(c.rolled_back, c.runs, 0.01) <= 0.01 for c in healthy)
    return each and (not runs or bounds.lower(false, runs, 0.01) <= 0.001)


def tables(found: list[tuple[float, Cell]]) -> str:
    """The three tables as Markdown."""
    healthy = [c for _, c in found if not c.kind.defective and not c.kind.turns]
    rows = ["| healthy traffic | 2 rps | 20 rps | 200 rps | 2000 rps |", "|---|---|---|---|---|"]
    for kind in HEALTHY:
        rows += _row(kind, found, lambda c: f"{100 * c.rolled_back / c.runs:.1f} %")
    false, runs = sum(c.rolled_back for c in healthy), sum(c.runs for c in healthy)
    rows += [
        "",
        f"{false} false rollbacks in {runs:,} healthy rollouts: "
        f"at most {bounds.upper(false, max(1, runs), 0.01):.3%} (99 %).",
        "",
        "| defect | 2 rps | 20 rps | 200 rps | 2000 rps |",
        "|---|---|---|---|---|",
    ]
    for kind in DEFECTS:
        rows += _row(kind, found, _caught)
    rows += [
        "",
        "| after promotion | 2 rps | 20 rps | 200 rps | 2000 rps |",
        "|---|---|---|---|---|",
    ]
    for kind in (*BAD_DAYS, *LATER):
        rows += _row(kind, found, _caught)
    return "\n".join(rows)


def _row(kind: Kind, found: list[tuple[float, Cell]], shown: Callable[[Cell], str]) -> list[str]:
    cells = [shown(c) for _, c in found if c.kind.name == kind.name]
    return [f"| {kind.name} | {' | '.join(cells)} |"] if cells else []


def _caught(c: Cell) -> str:
    share = f"{100 * c.rolled_back / c.runs:.0f} %"
    if c.caught_after is None:
        return f"{share} · **{c.bad:,.0f}**"
    s = c.caught_after
    when = f"{s:.0f}s" if s < 120 else f"{s / 60:.1f}m"
    bad = f"{c.bad:.1f}" if c.bad < 10 else f"{c.bad:,.0f}"
    return f"{share} · {when} · **{bad}**"


if __name__ == "__main__":
    sys.exit(main())
