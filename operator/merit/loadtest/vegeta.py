"""One stage of load, sent by vegeta at a constant rate, whatever the answers are.

And how often the kernel throttled the generator: a limit on its CPU makes it measure itself.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from merit.loadtest.fold import Results
from merit.loadtest.order import Order
from merit.loadtest.plan import CHECKS

PER = 1000  # seconds of the rate for vegeta, which takes whole numbers of requests only
SECOND = 1_000_000_000
MAX_TARGETS = 64 * 1024 * 1024  # bytes
CPU_STAT = Path("/sys/fs/cgroup/cpu.stat")


class Failed(Exception):
    """vegeta failed; the message is its own."""


def interval(rate: float) -> int:
    """Nanoseconds between two requests, in vegeta's own whole numbers."""
    return PER * SECOND // _frequency(rate)


def due(rate: float, seconds: float) -> int:
    """Requests that such a stage sends."""
    return max(1, math.floor(seconds * SECOND / interval(rate)))


def bodies(directory: Path) -> list[bytes]:
    """The request bodies by file name; a ConfigMap's own links are left out."""
    if not directory.is_dir():
        return []
    files = sorted(p for p in directory.iterdir() if p.is_file() and not p.name.startswith("."))
    return [file.read_bytes() for file in files]


def targets(order: Order, found: Sequence[bytes]) -> Iterator[str]:
    """Requests as vegeta reads them: each body to every pod, before the next body."""
    header = {name: [value] for name, value in order.headers.items()}
    size = 0
    for body in found or [b""]:
        for base in order.targets:
            target = {
                "method": order.method,
                "url": base + order.path,
                "header": header,
                "body": base64.b64encode(body).decode(),
            }
            line = json.dumps(target)
            size += len(line)
            if size > MAX_TARGETS:
                return
            yield line + "\n"


def attack(
    order: Order,
    lines: str,
    rate: float,
    seconds: float,
    *,
    lost: Callable[[Results], bool] = lambda _: False,
) -> Results:
    """Send `rate` requests a second for so many seconds and wait for every answer.

    Nothing more is sent once `lost` is true, which is checked CHECKS times. Raises Failed.
    """
    spacing, every = interval(rate), due(rate, seconds) // CHECKS
    command = [
        *("vegeta", "attack", "-format=json", "-max-body=0", "-redirects=-1", "-http2=false"),
        f"-rate={_frequency(rate)}/{PER}s",
        f"-duration={due(rate, seconds) * spacing}ns",
        f"-timeout={order.plan.timeout:g}s",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
        encoder = subprocess.Popen(
            ["vegeta", "encode", "-to=csv"],
            stdin=sender.stdout,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        assert sender.stdin and sender.stdout and encoder.stdout
        sender.stdout.close()  # only the encoder holds it now, so that it sees the end
        try:
            sender.stdin.write(lines.encode())
            sender.stdin.close()
            results = Results()
            with encoder:
                for known in _read(encoder.stdout, spacing, results):
                    if every and known % every == 0 and not results.cut and lost(results):
                        results.cut = True
                        sender.send_signal(signal.SIGINT)  # it waits for answers, sends no more
        except BaseException:
            sender.terminate()
            encoder.terminate()
            raise
    if sender.returncode or encoder.returncode:
        raise Failed(f"vegeta ended with {sender.returncode} and {encoder.returncode}")
    return results


def _frequency(rate: float) -> int:
    return max(1, round(rate * PER))


def _read(lines: Iterable[str], spacing: int, results: Results) -> Iterator[int]:
    """Adds the rows to the results one by one; yields their number so far."""
    csv.field_size_limit(sys.maxsize)  # an answer's headers are in one field
    # Sent at, code, latency, bytes out, bytes in, error, body, name, seq, … as vegeta writes them.
    for known, row in enumerate(csv.reader(lines), 1):
        results.add(
            seq=int(row[8]),
            at=int(row[0]),
            latency=int(row[2]),
            code=int(row[1]),
            interval=spacing,
        )
        yield known


@dataclass(frozen=True, slots=True)
class Throttling:
    """Scheduling periods since the container started, and those in which it was throttled."""

    periods: int = 0
    throttled: int = 0

    def share_since(self, before: Throttling) -> float:
        """The share of the periods since then in which it was throttled."""
        periods = self.periods - before.periods
        return (self.throttled - before.throttled) / periods if periods > 0 else 0.0


def throttling(file: Path = CPU_STAT) -> Throttling:
    """The kernel's counters now; zeros where there are none (no limit, no cgroup v2)."""
    try:
        counters = dict(line.split(maxsplit=1) for line in file.read_text().splitlines())
        return Throttling(int(counters["nr_periods"]), int(counters["nr_throttled"]))
    except (OSError, KeyError, ValueError):
        return Throttling()
