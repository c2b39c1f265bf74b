"""The chart as Helm renders it."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.build import KUBERNETES, binary

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "merit"


def helm(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """What `helm ARGUMENTS` prints; `given` is its standard input."""
    command = [binary("helm"), *arguments, "--kube-version", KUBERNETES]
    return subprocess.run(command, input=given, capture_output=True, text=True)


def render(**values: Any) -> list[dict[str, Any]]:
    """The objects of a release with these values."""
    return list(yaml.safe_load_all(_manifests(json.dumps(values))))


@cache
def _manifests(values: str) -> str:
    done = helm("template", "merit", str(CHART), "-n", "merit-system", "-f", "-", given=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


def only(objects: list[dict[str, Any]], kind: str, name: str = "merit") -> dict[str, Any]:
    """The only object of that kind and name."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found
