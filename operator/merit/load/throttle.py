"""How often the kernel held this container back for want of CPU: a limit lets it measure itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path("/sys/fs/cgroup/cpu.stat")


@dataclass(frozen=True, slots=True)
class Throttling:
    """Scheduling periods since the container began, and those in which it was held back."""

    periods: int = 0
    held: int = 0

    def share_since(self, before: Throttling) -> float:
        """The share of the periods since then in which it was held back."""
        periods = self.periods - before.periods
        return (self.held - before.held) / periods if periods > 0 else 0.0


def throttling(file: Path = FILE) -> Throttling:
    """As the kernel says now; nothing where it says nothing (no limit, no cgroup v2)."""
    try:
        words = dict(line.split(maxsplit=1) for line in file.read_text().splitlines())
        return Throttling(int(words["nr_periods"]), int(words["nr_throttled"]))
    except (OSError, KeyError, ValueError):
        return Throttling()
