"""`merit simulate FILE`: how rollouts of this manifest would go, without a cluster."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from merit.api.quantity import parse_duration
from merit.commands.command import UNREADABLE, Commands, Refused

if TYPE_CHECKING:  # the other commands shall not wait for what only this one needs
    from merit.simulate.kinds import Kind
    from merit.simulate.plan import Plan
    from merit.simulate.report import Report
    from merit.simulate.rollout import Course
    from merit.simulate.service import Service
    from merit.simulate.study import Study

CHUNK = 5  # rollouts that a process takes at a time
TRAFFICS = ("clean", "clumped", "shocks", "worn", "drift", "noisy-pods", "cold-start", "hiccup",
            "skewed")  # fmt: skip
EPILOG = """\
examples:
  merit simulate fraud.yaml
  merit simulate fraud.yaml --defect errors=2% --defect p99=1.5x --picture fraud.html
  merit simulate fraud.yaml --turns errors=5% --turns p99=2x
  merit simulate fraud.yaml --set rollout.blastRadius=0.5% --set rollout.steps=[5,50]
  merit simulate fraud.yaml --rps 8 --traffic clumped --gateway-only
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "simulate",
        help="how rollouts of a manifest would go, offline",
        description="Rolls the manifest's model out many times on synthetic traffic, with the "
        "operator's own decisions: how long a healthy version takes, and how often, how soon and "
        "after how many bad requests a defect is caught. Use it to choose blastRadius and steps.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="a YAML file; - is stdin")
    command.add_argument("--name", help="which ModelDeployment, if the file has several")
    command.add_argument(
        "--rps", type=float, help="requests per second (default: constraints.scale.rps)"
    )
    command.add_argument(
        "--defect", action="append", default=[], metavar="DEFECT",
        help="errors=5%%, leak=5%%, p99=2x, p99=+20%% or p99=150ms; more than one is allowed "
        "(default: a list that fits the bars)",
    )  # fmt: skip
    command.add_argument(
        "--turns", action="append", default=[], metavar="DEFECT",
        help="as --defect, of a version that turns so once it is promoted",
    )  # fmt: skip
    command.add_argument(
        "--stable", action="append", default=[], metavar="SHARE",
        help="of what serves now: errors=0.3%% or p99=80ms (default: well inside the bars)",
    )  # fmt: skip
    command.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="try another value of a field of spec, as rollout.blastRadius=0.5%%",
    )  # fmt: skip
    command.add_argument(
        "--traffic", choices=TRAFFICS, default="clean", help="its kind (default: %(default)s)"
    )
    command.add_argument(
        "--gateway-only", action="store_true",
        help="nobody scrapes the model's own pods, so the dispersion is not measured",
    )  # fmt: skip
    command.add_argument(
        "--scrape", type=_seconds, default=15.0, metavar="15s", help="between two samples"
    )
    command.add_argument(
        "--horizon", type=_seconds, default=3600.0, metavar="60m", help="of each rollout"
    )
    command.add_argument(
        "--runs", type=_count, default=40, help="rollouts of each (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=1, help="of the dice (default: %(default)s)")
    command.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    command.add_argument("-o", "--output", choices=("text", "json", "html"), default="text")
    command.add_argument("--picture", type=Path, metavar="FILE", help="write one HTML page to FILE")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Simulate. Returns the exit code."""
    from merit.commands.manifest import manifest
    from merit.simulate.report import data, lines

    try:
        raw, name, notes = manifest(chosen.file, name=chosen.name, changes=chosen.set)
        studies, plan, service = _studies(chosen, raw, name)
    except Refused as refused:
        print(f"merit: {refused}", file=sys.stderr)
        return refused.code
    report = _simulated(chosen, plan, service, studies, notes)
    if chosen.output == "json":
        print(json.dumps(data(report), indent=2, ensure_ascii=False))
    elif chosen.output == "html":
        print(_page(report, studies))
    else:
        print("\n".join(lines(report)).rstrip())
    if chosen.picture is not None:
        try:
            chosen.picture.write_text(_page(report, studies), encoding="utf-8")
        except OSError as error:
            print(f"merit: {chosen.picture}: cannot be written: {error.strerror}", file=sys.stderr)
            return UNREADABLE
    return 0


def _studies(
    chosen: argparse.Namespace, raw: dict[str, Any], name: str
) -> tuple[list[Study], Plan, Service]:
    """What is to be simulated, the healthy version first."""
    from merit.api.validation import Invalid
    from merit.evidence.constants import Constants
    from merit.simulate.defects import TRAFFIC, defect, stable_as, usual_defects
    from merit.simulate.kinds import turning
    from merit.simulate.plan import plan
    from merit.simulate.service import usual
    from merit.simulate.study import Study

    if chosen.rps is not None and not 0 < chosen.rps <= 1e6:
        raise Refused("--rps must be above 0 and at most 1,000,000")
    found = plan(raw, name=name, rps=chosen.rps, constants=Constants(scrape=chosen.scrape))
    if isinstance(found, Invalid):
        raise Refused(f"{chosen.file}: {found.sentence()}")
    base = TRAFFIC[chosen.traffic]
    try:
        service = stable_as(chosen.stable, usual(found.bars))
        kinds = [defect(text, service, base) for text in chosen.defect]
        kinds += [turning(defect(text, service, base)) for text in chosen.turns]
    except ValueError as error:
        raise Refused(str(error)) from error
    kinds = kinds or list(usual_defects(service, base))

    def study(kind: Kind) -> Study:
        return Study(
            found, service, kind, seed=chosen.seed, horizon=chosen.horizon,
            measured=not chosen.gateway_only,
        )  # fmt: skip

    return [study(kind) for kind in (base, *kinds)], found, service


def _simulated(
    chosen: argparse.Namespace,
    plan: Plan,
    service: Service,
    studies: Sequence[Study],
    notes: tuple[str, ...],
) -> Report:
    from merit.simulate.report import Report

    cells = [
        study.cell(courses)
        for study, courses in zip(studies, _courses(chosen, studies), strict=True)
    ]
    return Report(
        plan=plan,
        service=service,
        healthy=cells[0],
        defects=tuple(cells[1:]),
        horizon=chosen.horizon,
        seed=chosen.seed,
        measured=not chosen.gateway_only,
        notes=notes,
    )


def _courses(chosen: argparse.Namespace, studies: Sequence[Study]) -> Iterator[list[Course]]:
    """The rollouts of each study, on several cores, with a line of progress on stderr."""
    tasks = [
        (study, first, min(first + CHUNK, chosen.runs))
        for study in studies
        for first in range(0, chosen.runs, CHUNK)
    ]
    each = -(-chosen.runs // CHUNK)
    if chosen.jobs == 1:
        yield from _gathered(map(_chunk, tasks), each, len(tasks))
        return
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as pool:
        yield from _gathered(pool.map(_chunk, tasks), each, len(tasks))


def _gathered(chunks: Iterator[list[Course]], each: int, total: int) -> Iterator[list[Course]]:
    shown = sys.stderr.isatty()
    gathered: list[Course] = []
    for i, chunk in enumerate(chunks, 1):
        gathered += chunk
        if shown:
            print(f"\rsimulating: {100 * i // total:3d}%", end="", file=sys.stderr, flush=True)
        if i % each == 0:
            yield gathered
            gathered = []
    if shown:
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)


def _chunk(task: tuple[Study, int, int]) -> list[Course]:
    study, first, last = task
    return list(study.courses(range(first, last)))


def _page(report: Report, studies: Sequence[Study]) -> str:
    """The page, with one typical rollout of each kind, rolled out once more to be drawn."""
    from merit.simulate.picture import page

    drawn = [
        next(study.courses([cell.typical], picture=True))
        for study, cell in zip(studies, report.cells, strict=True)
    ]
    return page(report, drawn)


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 5 or seconds % 5:
        raise argparse.ArgumentTypeError(f"{text!r} is no multiple of 5s, the simulation's tick")
    return seconds


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 100000")
    return int(text)
