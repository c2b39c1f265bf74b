"""Prometheus' answers, parsed: series of finite numbers, or the reason why there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Points = tuple[tuple[float, float], ...]
"""(Unix seconds, value) in order of time."""


@dataclass(frozen=True, slots=True)
class Series:
    """Labels without the metric's name, and its finite values.

    `name`: the metric, where the answer contains it. `infinite`: the values that are +Inf or -Inf.
    """

    labels: Mapping[str, str]
    samples: Points
    name: str = ""
    infinite: Points = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason` is empty, or one of `api.reasons` (MetricsLost, Partial); with a `message`.

    `too_large`: it was not read because of its size; read in parts it may fit.
    """

    series: tuple[Series, ...] = ()
    reason: str = ""
    message: str = ""
    too_large: bool = False


class Source(Protocol):
    """Anything that answers instant queries."""

    async def instant(self, query: str, at: float | None = None) -> Answer:
        """The answer at `at` (Unix seconds; None: now). Never raises."""
        ...


def parse(body: Any) -> Answer:
    """An answer of /api/v1/query by its result type. NaN is left out, and Inf kept apart."""
    try:
        missing = _incomplete(body)
        if missing:
            return Answer(reason="Partial", message=f"Prometheus answered in part: {missing}")
        data = body["data"]
        kind, result = data["resultType"], data["result"]
        if kind in ("scalar", "string"):
            finite, infinite = _points([result])
            return Answer((Series({}, finite, infinite=infinite),))
        if kind not in ("vector", "matrix"):
            return Answer(reason="MetricsLost", message=f"unexpected result type {str(kind)[:32]}")
        return Answer(tuple(_series(item, kind) for item in result if _has_samples(item)))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return Answer(reason="MetricsLost", message="the answer is not one of Prometheus")


def _incomplete(body: Mapping[str, Any]) -> str:
    """What the answer lacks: Prometheus and Thanos warn of it, VictoriaMetrics has a field.

    A remark about a name is none; it is among the warnings of Prometheus 2.48 to 2.53.
    """
    if body.get("isPartial"):
        return "isPartial"
    warnings = [str(each) for each in body.get("warnings") or ()]
    return next((each[:160] for each in warnings if not each.startswith("PromQL info:")), "")


def _has_samples(item: Mapping[str, Any]) -> bool:
    return "value" in item or "values" in item  # native histograms have neither


def _series(item: Mapping[str, Any], kind: str) -> Series:
    labels = {k: str(v) for k, v in item["metric"].items() if k != "__name__"}
    finite, infinite = _points([item["value"]] if kind == "vector" else item["values"])
    return Series(labels, finite, str(item["metric"].get("__name__", "")), infinite)


def _points(pairs: list[Any]) -> tuple[Points, Points]:
    """The finite ones, and the infinite ones."""
    points = [(float(at), float(value)) for at, value in pairs]
    finite = tuple(point for point in points if math.isfinite(point[1]))
    return finite, tuple(point for point in points if math.isinf(point[1]))
