"""The training Job's command: learns from the population as it is now, and declares the result.

It is started by Merit, which tells it by MERIT_… why and on which window. Its data are those of
that window, labelled; its model goes into the URI itself, so no store is needed; and it commits to
Git with credentials of its own. Merit never sees them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from e2e.gitops.declare import declare
from e2e.model import data, versions

ROWS = 4000  # of the window, beside everything that was known before


def main() -> None:
    """Trains, prints what it found, commits."""
    parser = argparse.ArgumentParser(prog="python -m e2e.model.retrain", description=__doc__)
    parser.add_argument("--shift", type=float, default=1.0, help="of the population, as it is now")
    parser.add_argument("--file", required=True, help="the manifest in the repository")
    asked = parser.parse_args()
    content = {name: os.environ[f"MERIT_RETRAIN_{name}"] for name in ("REASON", "SINCE", "UNTIL")}
    before, run = os.environ["MERIT_MODEL_VERSION"], os.environ["MERIT_RETRAIN_RUN"]
    rows = data.window(content["SINCE"], content["UNTIL"], rows=ROWS, shift=asked.shift)
    model = versions.learn(
        f"{before.partition('-r')[0]}-r{run}", [*data.training(), *rows], shift=asked.shift
    )
    message = (
        f"fraud: {model.version}, trained on {len(rows)} payments until {content['UNTIL']}\n\n"
        f"{content['REASON']}\n"
    )
    made = declare(
        Path("/credentials/url").read_text().strip(),
        asked.file,
        version=model.version,
        uri=versions.uri_of(model),
        author="trainer",
        message=message,
    )
    print(f"committed {made}: {model.version}", flush=True)


if __name__ == "__main__":
    main()
