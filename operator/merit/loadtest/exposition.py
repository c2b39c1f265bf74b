"""One pod's /metrics: the series that count requests, from Prometheus' text format."""

from __future__ import annotations

import http.client
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from merit.loadtest.order import Counter, Scrape

SECONDS = 5.0
MAX_BYTES = 16 * 1024 * 1024  # bytes
START_TIME = "process_start_time_seconds"
_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*\Z")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class MetricsUnreadable(Exception):
    """A pod's counts cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`values`: for each requested counter its series, by name and labels as written.

    `began`: the process' own start time; None if it exports none.
    """

    values: tuple[dict[str, float], ...]
    began: float | None = None


def read(target: str, scrape: Scrape) -> Reading:
    """The counts of the pod at that base URL, over its own connection. Raises MetricsUnreadable."""
    host, where = urlsplit(target).hostname or "", f"{scrape.path} on port {scrape.port}"
    connection = http.client.HTTPConnection(host, scrape.port, timeout=SECONDS)
    try:
        headers = {"Accept": "text/plain;version=0.0.4", "Connection": "close"}
        connection.request("GET", scrape.path, headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise MetricsUnreadable(f"{where} answers {answer.status}")
        body = answer.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MetricsUnreadable(f"{where}: {type(error).__name__}") from error
    finally:
        connection.close()
    if len(body) > MAX_BYTES:
        raise MetricsUnreadable(f"{where} serves more than 16 MiB")
    return parse(body.decode("utf-8", "replace").splitlines(), scrape.counters)


def parse(lines: Iterable[str], counters: Iterable[Counter]) -> Reading:
    """The series of these counters; other lines are left out."""
    wanted = tuple(counters)
    values: tuple[dict[str, float], ...] = tuple({} for _ in wanted)
    began = None
    for name, labels, value in _series(lines):
        if name == START_TIME:
            began = value
        for counter, found in zip(wanted, values, strict=True):
            if name in counter.series and _counts(counter, labels):
                found[f"{name}{{{labels}}}"] = value
    return Reading(values, began)


def _series(lines: Iterable[str]) -> Iterator[tuple[str, str, float]]:
    for line in lines:
        found = None if line.startswith("#") else _LINE.match(line)
        if found is None:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        if math.isfinite(value):
            yield found[1], found[2] or "", value


def _counts(counter: Counter, labels: str) -> bool:
    if not counter.where and not counter.never:
        return True
    has = {name: _plain(value) for name, value in _LABEL.findall(labels)}
    return all(has.get(name) == value for name, value in counter.where.items()) and not any(
        has.get(name) in values for name, values in counter.never.items()
    )


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], value)
