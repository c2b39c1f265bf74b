"""The operator's own figures in Prometheus' text format.

No label holds a word of a tenant's beyond namespace and name, and every other label has a fixed
set of values: the number of series is bounded by the number of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from merit.cluster.cache import Key
from merit.policy.telling.gauges import Gauges

Sample = tuple[Mapping[str, str], float]
MOST = 5000  # objects that get series of their own


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its samples, each with its labels. `name` ends in _total for a counter."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    text: str
    samples: Sequence[Sample] = field(default_factory=tuple)

    def lines(self) -> Iterator[str]:
        """As Prometheus reads them."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            yield f"{self.name}{{{shown}}} {value:.10g}" if shown else f"{self.name} {value:.10g}"


def exposition(families: Iterable[Family]) -> str:
    """The text of /metrics."""
    return "\n".join(line for family in families for line in family.lines()) + "\n"


def counted(name: str, text: str, by: Sequence[str], counts: Mapping[Any, int]) -> Family:
    """A counter by labels `by`; the keys of `counts` are one value, or a tuple of them."""
    samples: list[Sample] = []
    for key, value in sorted(counts.items(), key=lambda item: str(item[0])):
        values = key if isinstance(key, tuple) else (key,)
        samples.append((dict(zip(by, map(str, values), strict=True)), float(value)))
    return Family(name, "counter", text, samples)


def objects(known: Mapping[Key, Gauges], now: float) -> Iterator[Family]:
    """What there is, and how each object stands. `now`: Unix seconds."""
    phases: dict[str, int] = {}
    for each in known.values():
        phases[each.phase] = phases.get(each.phase, 0) + 1
    counts = [({"phase": phase}, float(n)) for phase, n in sorted(phases.items())]
    yield Family("merit_objects", "gauge", "ModelDeployments by phase.", counts)
    lag = max((now - g.observed for g in known.values() if g.weight and g.observed), default=0.0)
    text = "Age of the oldest newest sample that a verdict about an exposed candidate rests on."
    yield Family("merit_evidence_lag_seconds", "gauge", text, [({}, max(0.0, lag))])
    shown = dict(sorted(known.items())[:MOST])
    yield from _each(shown)
    yield from _signals(shown)


def _each(shown: Mapping[Key, Gauges]) -> Iterator[Family]:
    columns: tuple[tuple[str, str, Callable[[Gauges], float | None]], ...] = (
        ("merit_candidate_weight", "Percent that the candidate is meant to have.", _weight),
        ("merit_trusted", "1: every signal is inside its bar, 0: one is not.", _trusted),
        ("merit_evidence_nats", "Evidence that the candidate is worse.", lambda g: g.evidence),
        ("merit_evidence_mark_nats", "Evidence that rejects the candidate.", lambda g: g.mark),
        ("merit_cost_per_hour", "Price of all replicas that are wanted.", lambda g: g.hourly),
    )
    for name, text, value_of in columns:
        found = ((key, value_of(gauges)) for key, gauges in shown.items())
        samples = [(_labels(key), value) for key, value in found if value is not None]
        yield Family(name, "gauge", text, samples)


def _signals(shown: Mapping[Key, Gauges]) -> Iterator[Family]:
    texts = (
        ("merit_signal_value", "Share of bad requests of what serves, or the value as it is."),
        ("merit_signal_bar", "Bound on merit_signal_value, from above or below."),
        ("merit_signal_bar_used", "How much of its bar a signal uses up; beyond 1 it is broken."),
    )
    for index, (name, text) in enumerate(texts):
        samples = [
            (_labels(key) | {"signal": signal}, gauge[index])
            for key, gauges in shown.items()
            for signal, gauge in sorted(gauges.signals.items())
        ]
        yield Family(name, "gauge", text, samples)


def _weight(gauges: Gauges) -> float | None:
    return float(gauges.weight)


def _trusted(gauges: Gauges) -> float | None:
    return None if gauges.trusted is None else float(gauges.trusted)


def _labels(key: Key) -> dict[str, str]:
    # Not "namespace": Prometheus gives that name to the operator's own when it scrapes a pod.
    return {"object_namespace": key.namespace, "object": key.name}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
