"""What the demo prints: headings, times, and how the examples shorten waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from merit.api import defaults
from merit.api.quantity import format_duration, format_share
from merit.config import Tick
from merit.stats.terms import Constants

START = time.monotonic()


def say(text: str = "") -> None:
    """One line, at once."""
    print(text, flush=True)


def elapsed() -> str:
    """Minutes and seconds since the start."""
    seconds = int(time.monotonic() - START)
    return f"{seconds // 60}:{seconds % 60:02d}"


def heading(text: str) -> None:
    """A new part of the narrator, with the time since the start."""
    say(f"\n== {elapsed()} {text}")


def waiting_times(rollout: Mapping[str, Any], scrape: str, tick: str) -> None:
    """What is shorter here than by default, and what is not. `rollout`: of the examples."""
    constants, holdback = Constants(), rollout["holdback"]
    kept_back = f"{defaults.HOLDBACK_WEIGHT}% for {format_duration(defaults.HOLDBACK_DURATION)}"
    say(f"   {'waiting':26}{'here':16}default")
    for name, here, default in (
        ("rollout.minDuration", rollout["minDuration"], format_duration(defaults.MIN_DURATION)),
        ("rollout.maxDuration", rollout["maxDuration"], format_duration(defaults.MAX_DURATION)),
        ("rollout.holdback", f"{holdback['weight']}% for {holdback['duration']}", kept_back),
        ("judgement.scrape", scrape, format_duration(constants.scrape)),
        ("tick.live", tick, format_duration(Tick().live)),
        ("patience", "as by default", format_duration(constants.patience_unmeasured)),
        ("warm-up", "as by default", format_duration(constants.warmup)),
        ("confidence", "as by default", format_share(defaults.CONFIDENCE)),
    ):
        say(f"   {name:26}{here:16}{default}")
