"""One stage of load, sent by vegeta: at a constant rate, whatever comes back."""

from __future__ import annotations

import base64
import csv
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from merit.evidence.load import LOOKS
from merit.evidence.load_order import Order
from merit.load.fold import Results

PER = 1000  # seconds for which vegeta is told a number of requests, so that fractions fit
SECOND = 1_000_000_000
MOST_TARGETS = 64 * 1024 * 1024  # bytes


class Failed(Exception):
    """vegeta did not do its work: its own words."""


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
    """Requests as vegeta reads them: each body to every pod, before the next body comes."""
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
            if size > MOST_TARGETS:
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

    Nothing more is sent once it is `lost`, which is asked LOOKS times. Raises Failed.
    """
    spacing, looks = interval(rate), due(rate, seconds) // LOOKS
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
                    if looks and known % looks == 0 and not results.cut and lost(results):
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
    """Adds one after the other to the results; how many they are by then."""
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
