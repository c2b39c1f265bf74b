"""One pod's /metrics: of Prometheus' text, what counts requests."""

from __future__ import annotations

import http.client
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from merit.evidence.load_order import Counter, Scrape

SECONDS = 5.0
MOST = 16 * 1024 * 1024  # bytes
BEGAN = "process_start_time_seconds"
_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*\Z")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class Silent(Exception):
    """A pod does not tell what it counted: why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`values`: for each counter that was asked for its series, by name and labels as written.

    `began`: when the process began, as it says; None if it does not.
    """

    values: tuple[dict[str, float], ...]
    began: float | None = None


def read(target: str, scrape: Scrape) -> Reading:
    """What the pod behind that base URL tells now, over a connection of its own. Raises Silent."""
    host, where = urlsplit(target).hostname or "", f"{scrape.path} on port {scrape.port}"
    connection = http.client.HTTPConnection(host, scrape.port, timeout=SECONDS)
    try:
        asked = {"Accept": "text/plain;version=0.0.4", "Connection": "close"}
        connection.request("GET", scrape.path, headers=asked)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Silent(f"{where} answers {answer.status}")
        body = answer.read(MOST + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Silent(f"{where}: {type(error).__name__}") from error
    finally:
        connection.close()
    if len(body) > MOST:
        raise Silent(f"{where} tells more than 16 MiB")
    return parse(body.decode("utf-8", "replace").splitlines(), scrape.counters)


def parse(lines: Iterable[str], counters: Iterable[Counter]) -> Reading:
    """The series of these counters; what is no line of that format is left out."""
    wanted = tuple(counters)
    values: tuple[dict[str, float], ...] = tuple({} for _ in wanted)
    began = None
    for name, labels, value in _series(lines):
        if name == BEGAN:
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
