"""`merit presets`: lists metrics presets, and checks that a Prometheus has what one needs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from merit.cli.command import Commands

if TYPE_CHECKING:
    from merit.prometheus.client import Prometheus
    from merit.prometheus.preset import Preset
    from merit.prometheus.self_check import Finding

MISSING, UNUSABLE = 1, 2


def add(commands: Commands) -> None:
    """Declare the command."""
    command = commands.add_parser("presets", help="list metrics presets, or check one")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="the presets of this version")
    listed.set_defaults(run=run_list)
    check = actions.add_parser("check", help="check that a Prometheus has what a preset needs")
    where = check.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, help="the operator's configuration: every source")
    where.add_argument("--url", help="a Prometheus, as http://127.0.0.1:9090; needs --preset")
    check.add_argument("--source", help="only this source of the configuration")
    check.add_argument("--preset", help="a preset of this version, or a file")
    check.add_argument(
        "--matchers", nargs="*", default=[], metavar="LABEL=VALUE",
        help="labels of the scrape targets to use",
    )  # fmt: skip
    check.add_argument(
        "--bound", action="append", default=[], metavar="DURATION",
        help="check that this latency bound, as 100ms, is an edge of the histogram",
    )  # fmt: skip
    check.set_defaults(run=run_check)


def run_list(_: argparse.Namespace) -> int:
    """Print them. Returns 0."""
    from merit.prometheus.preset import load_preset, preset_names

    for name in preset_names():
        preset = load_preset(name)
        kind = "server " if preset.per_pod else "gateway"
        print(f"{name:<18} {kind}  {preset.tested}")
    return 0


def run_check(chosen: argparse.Namespace) -> int:
    """Print the findings. Returns 0, 1 if something is missing, 2 for a wrong command line."""
    from merit.api.quantity import parse_duration
    from merit.prometheus.self_check import self_check

    try:
        limits = [parse_duration(text) for text in chosen.bound]
        checks = _of_config(chosen) if chosen.config else _of_url(chosen)
    except ValueError as error:
        print(f"merit: {error}", file=sys.stderr)
        return UNUSABLE
    complete = True
    for title, prometheus, preset, matchers in checks:
        print(title)
        found = asyncio.run(self_check(prometheus, preset, matchers=matchers, limits=limits))
        complete = _print(found) and complete
    return 0 if complete else MISSING


Check = tuple[str, "Prometheus", "Preset", Mapping[str, str]]


def _of_url(chosen: argparse.Namespace) -> list[Check]:
    from merit.prometheus.client import Prometheus
    from merit.prometheus.preset import load_preset, parse_preset

    if not chosen.preset:
        raise ValueError("--url needs --preset: see `merit presets list`")
    matchers = {}
    for text in chosen.matchers:
        label, equals, value = text.partition("=")
        if not equals or not label.isidentifier():
            raise ValueError(f"{text!r} is not a matcher: write LABEL=VALUE, as job=envoy")
        matchers[label] = value
    path = Path(chosen.preset)
    is_file = path.suffix in (".yaml", ".yml")
    try:
        text = path.read_text(encoding="utf-8") if is_file else ""
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    preset = parse_preset(text) if is_file else load_preset(chosen.preset)
    return [(f"{preset.name} at {chosen.url}", Prometheus(chosen.url), preset, matchers)]


def _of_config(chosen: argparse.Namespace) -> list[Check]:
    from merit.config import load
    from merit.prometheus.client import Prometheus
    from merit.prometheus.preset import find_preset

    metrics = load(chosen.config).metrics
    if chosen.source and chosen.source not in metrics.sources:
        raise ValueError(f"there is no source {chosen.source!r} in {chosen.config}")
    checks: list[Check] = []
    for name, source in metrics.sources.items():
        if chosen.source not in (None, name):
            continue
        server = source.prometheus
        client = Prometheus(server.url, **server.access())
        for preset, matchers in (
            (source.preset, source.matchers),
            (source.server, source.server_matchers),
        ):
            if preset:
                loaded = find_preset(preset, metrics.presets)
                checks.append((f"{name}: {loaded.name} at {server.url}", client, loaded, matchers))
    return checks


def _print(lines: tuple[Finding, ...]) -> bool:
    for line in lines:
        mark = {True: "ok", False: "MISSING", None: "note"}[line.ok]
        print(f"  {mark:<8} {line.subject:<10} {line.message}")
        if line.remedy:
            print(f"  {'':<8} {'':<10} -> {line.remedy}")
    return all(line.ok is not False for line in lines)
