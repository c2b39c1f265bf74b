"""`merit simulate FILE`: simulates rollouts of a manifest, without a cluster."""

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
from merit.cli.command import UNREADABLE, CommandError, Commands

if TYPE_CHECKING:  # imported at run time only by this command
    from merit.simulate.report import Report
    from merit.simulate.rollout import Outcome
    from merit.simulate.study import Study

CHUNK = 5  # rollouts of one task of a process
TRAFFIC = (
    "clean", "clumped", "shocks", "worn", "drift", "noisy-pods", "cold-start", "hiccup", "skewed",
)  # fmt: skip
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
        help="simulate rollouts of a manifest, offline",
        description="Simulates many rollouts of the manifest's model on synthetic traffic, with "
        "the operator's own decisions: how long a healthy version takes, and how often, how soon "
        "and after how many bad requests a defect is caught, to choose blastRadius and steps.",
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
        help="a defect of the candidate: errors=5%%, leak=5%%, p99=2x, p99=+20%% or p99=150ms; may "
        "be repeated (default: a list that fits the bars)",
    )  # fmt: skip
    command.add_argument(
        "--turns", action="append", default=[], metavar="DEFECT",
        help="as --defect, but the defect begins after the promotion",
    )  # fmt: skip
    command.add_argument(
        "--stable", action="append", default=[], metavar="SHARE",
        help="the stable revision: errors=0.3%% or p99=80ms (default: well inside the bars)",
    )  # fmt: skip
    command.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="try another value of a field of spec, as rollout.blastRadius=0.5%%",
    )  # fmt: skip
    command.add_argument(
        "--traffic", choices=TRAFFIC, default="clean", help="kind of traffic (default: %(default)s)"
    )
    command.add_argument(
        "--gateway-only", action="store_true",
        help="assume that the model's pods are not scraped: dispersion is not measured",
    )  # fmt: skip
    command.add_argument(
        "--scrape", type=_seconds, default=15.0, metavar="15s", help="time between two scrapes"
    )
    command.add_argument(
        "--horizon", type=_seconds, default=3600.0, metavar="60m", help="length of each rollout"
    )
    command.add_argument(
        "--runs", type=_count, default=40, help="rollouts of each scenario (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=1, help="random seed (default: %(default)s)")
    command.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="processes (default: all cores)"
    )
    command.add_argument("-o", "--output", choices=("text", "json", "html"), default="text")
    command.add_argument("--picture", type=Path, metavar="FILE", help="write an HTML chart to FILE")
    command.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Simulate. Returns the exit code."""
    from merit.cli.manifest import manifest
    from merit.simulate.report import Report, data, lines

    try:
        raw, name, notes = manifest(chosen.file, name=chosen.name, changes=chosen.set)
        studies = _studies(chosen, raw, name)
    except CommandError as error:
        print(f"merit: {error}", file=sys.stderr)
        return error.code
    rollouts = _rollouts(chosen, studies)
    healthy, *defects = (s.summarise(r) for s, r in zip(studies, rollouts, strict=True))
    report = Report(
        plan=studies[0].plan,
        service=studies[0].service,
        healthy=healthy,
        defects=tuple(defects),
        horizon=chosen.horizon,
        seed=chosen.seed,
        measured=not chosen.gateway_only,
        notes=notes,
    )
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


def _studies(chosen: argparse.Namespace, raw: dict[str, Any], name: str) -> list[Study]:
    """The studies to simulate, the healthy version first."""
    from merit.api.validation import Invalid
    from merit.simulate import scenarios
    from merit.simulate.plan import plan
    from merit.simulate.service import default_service
    from merit.simulate.study import Study
    from merit.stats.terms import Constants

    if chosen.rps is not None and not 0 < chosen.rps <= 1e6:
        raise CommandError("--rps must be above 0 and at most 1,000,000")
    planned = plan(raw, name=name, rps=chosen.rps, constants=Constants(scrape=chosen.scrape))
    if isinstance(planned, Invalid):
        raise CommandError(f"{chosen.file}: {planned.sentence()}")
    base = scenarios.TRAFFIC_BY_NAME[chosen.traffic]
    try:
        service = scenarios.with_stable(chosen.stable, default_service(planned.bars))
        defects = [scenarios.parse_defect(text, service, base) for text in chosen.defect]
        late = [scenarios.parse_defect(text, service, base) for text in chosen.turns]
    except ValueError as error:
        raise CommandError(str(error)) from error
    defects += map(scenarios.after_promotion, late)
    defects = defects or list(scenarios.default_defects(service, base))

    options = {"seed": chosen.seed, "horizon": chosen.horizon, "measured": not chosen.gateway_only}
    return [Study(planned, service, scenario, **options) for scenario in (base, *defects)]


def _rollouts(chosen: argparse.Namespace, studies: Sequence[Study]) -> Iterator[list[Outcome]]:
    """The rollouts of each study, in parallel, with a line of progress on stderr."""
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


def _gathered(chunks: Iterator[list[Outcome]], each: int, total: int) -> Iterator[list[Outcome]]:
    progress = sys.stderr.isatty()
    gathered: list[Outcome] = []
    for i, chunk in enumerate(chunks, 1):
        gathered += chunk
        if progress:
            print(f"\rsimulating: {100 * i // total:3d}%", end="", file=sys.stderr, flush=True)
        if i % each == 0:
            yield gathered
            gathered = []
    if progress:
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)


def _chunk(task: tuple[Study, int, int]) -> list[Outcome]:
    study, first, last = task
    return list(study.rollouts(range(first, last)))


def _page(report: Report, studies: Sequence[Study]) -> str:
    """The HTML page. The typical rollout of each study is simulated again to record its chart."""
    from merit.simulate.chart import page

    drawn = [
        next(study.rollouts([result.typical], snapshots=True))
        for study, result in zip(studies, report.results, strict=True)
    ]
    return page(report, drawn)


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 5 or seconds % 5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a multiple of 5s, the simulation's tick")
    return seconds


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 100000")
    return int(text)
