"""`make faults`: every fault at every write; prints a table, and fails on a violation."""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.planted import PLANTED
from tests.faults.run import Run
from tests.faults.soak import soak
from tests.faults.stage import FaultStage


async def run(every: int, offset: int, only: str, minutes: float) -> int:
    """Every so many-th plan. Returns the exit code."""
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="merit-faults-"))
    print(f"logs: {directory}", flush=True)
    async with FaultStage(directory) as stage:
        campaign = Campaign(stage)
        await campaign.refer()
        every_plan = [plan for plan in campaign.plans() if only in str(plan)]
        plans = every_plan[offset::every]
        print(f"{len(plans)} of {len(every_plan)} plans", flush=True)

        def progress(run: Run) -> None:
            done = len(campaign.runs)
            if run.wrong:
                print(f"VIOLATION {run.plan} ({run.namespace})", *run.wrong, sep="\n    ")
            if done % 20 == 0:
                print(f"{done} runs, {time.monotonic() - began:.0f} s", flush=True)

        campaign.progress, campaign.until = progress, began + 60 * minutes
        await campaign.run(plans)
    passed = time.monotonic() - began
    print(campaign.table())
    print(f"{passed / 60:.1f} minutes, the operator was killed {stage.crashes} times")
    violations = campaign.violations()
    print(*violations, f"violations: {len(violations)}", sep="\n")
    return 1 if violations else 0


async def planted(only: str) -> int:
    """Each bug that was planted on purpose, and the same plans without it.

    Returns the exit code: 1 if one was not found, or the sound operator fails too.
    """
    directory = Path(tempfile.mkdtemp(prefix="merit-faults-"))
    print(f"logs: {directory}", flush=True)
    bugs = {name: bug for name, bug in PLANTED.items() if only in name}
    found = 0
    async with FaultStage(directory) as stage:
        campaign = Campaign(stage)
        await campaign.refer(sorted({bug.scenario for bug in bugs.values()}))
        for name, bug in bugs.items():
            await stage.replace(f"{name}-sound")
            sound = await campaign.find(bug)
            await stage.replace(name, name)
            shown = await campaign.find(bug)
            found += bool(shown and not sound)
            said = f"FAILS WITHOUT IT: {sound[0]}" if sound else (shown or ["NOT FOUND"])[0]
            print(f"{name:18}{bug.fault:24}{bug.what}\n{'':18}{said[:110]}", flush=True)
    print(f"{found} of {len(bugs)} planted bugs found")
    return 0 if found == len(bugs) else 1


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="run every n-th plan only")
    parser.add_argument("--offset", type=int, default=0, help="begin with this one")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin none after so many")
    parser.add_argument("--only", default="", help="plans whose name contains this")
    parser.add_argument("--planted", action="store_true", help="find bugs planted on purpose")
    parser.add_argument("--soak", action="store_true", help="watch the operator's memory")
    chosen = parser.parse_args()
    if chosen.soak:
        return asyncio.run(soak())
    if chosen.planted:
        return asyncio.run(planted(chosen.only))
    return asyncio.run(run(chosen.every, chosen.offset, chosen.only, chosen.minutes))


if __name__ == "__main__":
    sys.exit(main())
