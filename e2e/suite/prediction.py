"""What `merit simulate` says beforehand, to be printed beside what then happened."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from e2e.demo.model import EXAMPLES


def predicted(version: str, *, rps: float, defect: str, scrape: str) -> dict[str, Any]:
    """The forecast for examples/VERSION.yaml at this traffic with this defect."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "merit", "simulate", str(EXAMPLES / f"{version}.yaml")),
            *("--rps", str(rps), "--defect", defect, "--scrape", scrape, "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
