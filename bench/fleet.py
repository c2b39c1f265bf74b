"""What many models cost: the shipped operator on a real API server, with a real Prometheus.

    python -m bench.fleet [--objects 5 50 500]

The API server has no nodes; actors stand in for its controllers and kubelets, and one exporter for
the gateway and all model servers. Every fourth object is in its canary. Prints what Prometheus was
asked, by its own log, and what the operator used, of itself and of the API server. Exit code 1 if a
poll of one fleet takes another number of queries than a poll of another.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fleet.stage import Cost, Fleet, Pace

PACE = Pace(scrape=15, fast=5, live=15, drift=300)  # the defaults
PATIENCE = 900.0  # seconds for everybody to become Live, and for all canaries to begin
POLLS = 4  # of all objects, while it is measured
QUIET = 20.0  # seconds without a call after which a fleet is at rest
HEAD = (
    "objects", "in canary", "queries a poll, everybody", "queries a poll, exposed",
    "Live after", "canaries after", "at rest: calls", "at rest: CPU", "canaries: calls/s",
    "canaries: CPU", "memory", "known after a restart",
)  # fmt: skip


def row(objects: int, directory: Path) -> tuple[list[str], set[float]]:
    """One line of the table, and the numbers of queries of its polls."""
    with Fleet(directory, PACE) as fleet:
        live = fleet.begin(objects, PATIENCE)
        fleet.wait(lambda: not fleet.observe(QUIET).calls, "at rest", PATIENCE)
        rest = fleet.observe(PACE.live * (POLLS + 1), POLLS)
        canaries = fleet.expose(objects, PATIENCE)
        busy = fleet.observe(PACE.live * (POLLS + 1), POLLS)
        memory = fleet.operator.memory("VmHWM")
        phases = fleet.phases()
        fleet.restart()
        fleet.wait(lambda: fleet.operator.objects() >= objects, "known", PATIENCE)
        known = fleet.operator.age()
    exposed = sum(n for phase, n in phases.items() if phase.startswith("Canary"))
    cells = [
        f"{objects:,}", f"{exposed:,}", _each(rest.queries.everybody + busy.queries.everybody),
        _each(busy.queries.exposed), f"{live:.0f} s", f"{canaries:.0f} s",
        str(rest.calls.total()), _share(rest), f"{busy.calls.total() / busy.lasted:.1f}",
        _share(busy), f"{memory:.0f} MiB", f"{known:.1f} s",
    ]  # fmt: skip
    return cells, {*rest.queries.everybody, *busy.queries.everybody, *busy.queries.exposed}


def _each(sizes: Sequence[float]) -> str:
    return "/".join(f"{size:g}" for size in sorted(set(sizes))) or "none"


def _share(cost: Cost) -> str:
    return f"{cost.cpu / cost.lasted:.1%} of a core"


def main() -> int:
    """Print the table. Returns 0, or 1 if the numbers of queries differ."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.fleet")
    parser.add_argument("--objects", type=int, nargs="+", default=[5, 50, 500])
    chosen = parser.parse_args()
    columns, sizes = [], set()
    for objects in chosen.objects:
        with tempfile.TemporaryDirectory(prefix="merit-fleet-") as directory:
            cells, queries = row(objects, Path(directory))
        columns.append(cells)
        sizes |= queries
        print(f"{objects} objects: measured", file=sys.stderr, flush=True)
    for name, *cells in zip(HEAD, *columns, strict=True):
        print(f"| {name} | " + " | ".join(cells) + " |")
    return 0 if len(sizes) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
