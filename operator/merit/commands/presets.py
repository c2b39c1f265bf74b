"""`merit presets`: which presets there are, and whether a Prometheus has what one of them needs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from merit.commands.command import Commands

if TYPE_CHECKING:
    from merit.metrics.checkup import Line
    from merit.metrics.client import Prometheus
    from merit.metrics.preset import Preset

MISSING, UNUSABLE = 1, 2


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("presets", help="list metrics presets, or check one")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="the presets of this version")
    listed.set_defaults(run=run_list)
    check = actions.add_parser("check", help="does a Prometheus have what a preset needs?")
    where = check.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, help="the operator's configuration: every source")
    where.add_argument("--url", help="a Prometheus, as http://127.0.0.1:9090; needs --preset")
    check.add_argument("--source", help="only this source of the configuration")
    check.add_argument("--preset", help="a preset of this version, or a file")
    check.add_argument(
        "--matchers", nargs="*", default=[], metavar="LABEL=VALUE",
        help="labels of the scrape targets that may speak",
    )  # fmt: skip
    check.add_argument(
        "--bound", action="append", default=[], metavar="DURATION",
        help="a bound on latency, as 100ms: is it an edge of the histogram?",
    )  # fmt: skip
    check.set_defaults(run=run_check)


def run_list(_: argparse.Namespace) -> int:
    """Print them. Returns 0."""
    from merit.metrics.preset import load_preset, preset_names

    for name in preset_names():
        preset = load_preset(name)
        kind = "server " if preset.per_pod else "gateway"
        print(f"{name:<18} {kind}  {preset.tested}")
    return 0


def run_check(chosen: argparse.Namespace) -> int:
    """Print the findings. Returns 0, 1 if something is missing, 2 if nothing could be asked."""
    from merit.api.quantity import parse_duration

    try:
        limits = [parse_duration(text) for text in chosen.bound]
        checks = _of_config(chosen) if chosen.config else _of_url(chosen)
    except ValueError as error:
        print(f"merit: {error}", file=sys.stderr)
        return UNUSABLE
    well = True
    for title, prometheus, preset, matchers in checks:
        print(title)
        well = _told(asyncio.run(_check(prometheus, preset, matchers, limits))) and well
    return 0 if well else MISSING


Check = tuple[str, "Prometheus", "Preset", Mapping[str, str]]


def _of_url(chosen: argparse.Namespace) -> list[Check]:
    from merit.metrics.client import Prometheus
    from merit.metrics.preset import load_preset, parse_preset

    if not chosen.preset:
        raise ValueError("--url needs --preset: see `merit presets list`")
    matchers = {}
    for text in chosen.matchers:
        label, equals, value = text.partition("=")
        if not equals or not label.isidentifier():
            raise ValueError(f"{text!r} is no matcher: write LABEL=VALUE, as job=envoy")
        matchers[label] = value
    own = Path(chosen.preset)
    is_file = own.suffix in (".yaml", ".yml")
    try:
        text = own.read_text(encoding="utf-8") if is_file else ""
    except OSError as error:
        raise ValueError(f"{own} cannot be read: {error.strerror}") from error
    preset = parse_preset(text) if is_file else load_preset(chosen.preset)
    return [(f"{preset.name} at {chosen.url}", Prometheus(chosen.url), preset, matchers)]


def _of_config(chosen: argparse.Namespace) -> list[Check]:
    from merit.config import load
    from merit.metrics.client import Prometheus
    from merit.metrics.preset import find_preset

    metrics = load(chosen.config).metrics
    if chosen.source and chosen.source not in metrics.sources:
        raise ValueError(f"there is no source {chosen.source!r} in {chosen.config}")
    checks: list[Check] = []
    for name, source in metrics.sources.items():
        if chosen.source not in (None, name):
            continue
        server = source.prometheus
        client = Prometheus(
            server.url,
            timeout=server.timeout,
            headers=server.headers,
            ca_file=server.ca_file,
            token_file=server.bearer_token_file,
        )
        for preset, matchers in (
            (source.preset, source.matchers),
            (source.server, source.server_matchers),
        ):
            if preset:
                found = find_preset(preset, metrics.presets)
                checks.append((f"{name}: {found.name} at {server.url}", client, found, matchers))
    return checks


async def _check(
    prometheus: Prometheus, preset: Preset, matchers: Mapping[str, str], limits: list[float]
) -> tuple[Line, ...]:
    from merit.metrics.checkup import check_up

    return await check_up(prometheus, preset, matchers=matchers, limits=limits)


def _told(lines: tuple[Line, ...]) -> bool:
    for line in lines:
        mark = {True: "ok", False: "MISSING", None: "note"}[line.well]
        print(f"  {mark:<8} {line.what:<10} {line.said}")
        if line.remedy:
            print(f"  {'':<8} {'':<10} -> {line.remedy}")
    return all(line.well is not False for line in lines)
