"""What `merit simulate` says beforehand, to be printed beside what then happened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from e2e.demo.environment import SCRAPE
from e2e.demo.model import EXAMPLES


def predicted(
    version: str, *, rps: float, defect: str, turns: bool = False, runs: int = 40
) -> dict[str, Any]:
    """The forecast for examples/VERSION.yaml, as it is applied, with this defect.

    `turns`: it is promoted without the defect, which comes minutes later.

    `defect` as on the command line: `errors=5%`, `p99=2x`. A service of the suite is younger than
    the hour that the dispersion of its pods takes to be known: the forecast assumes the same. Its
    versions fail at nothing else and answer in milliseconds, so stable does too.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "merit", "simulate", str(EXAMPLES / f"{version}.yaml")),
            *("--rps", str(rps), "--turns" if turns else "--defect", defect, "--gateway-only"),
            *("--stable", "errors=0%", "--stable", "p99=20ms"),
            *("--scrape", SCRAPE, "--runs", str(runs), "--jobs", "1", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def sentence(forecast: Mapping[str, Any]) -> str:
    """A forecast for one defect in words: how likely it is caught, how soon, at what price."""
    (cell,) = forecast["defects"]
    chance = cell["rolledBack"] / cell["runs"]
    after = cell["caughtAfter"]
    when = "" if after is None else f", after {after:.0f}s in the median"
    return (
        f"merit simulate expects of {cell['name']} at {forecast['rps']:g} requests/s: caught in "
        f"{chance:.0%} of rollouts{when}; {cell['badRequests']:.1f} bad requests "
        f"each ({cell['runs']} simulated)"
    )
