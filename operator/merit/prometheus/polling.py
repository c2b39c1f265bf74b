"""The queries of one poll: one per metric of the whole fleet, and the window made of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping

from merit.prometheus.answer import Answer, Source
from merit.prometheus.edges import Edges
from merit.prometheus.inspection import Inspection, arm_selector
from merit.prometheus.parts import Part, Parts
from merit.prometheus.preset import Latency, Name, PodLabels, Preset, Requests, joined, service_of
from merit.prometheus.window import Metric, Reading, Target, Window


class Poller:
    """Reads the window of one source. `selector`: the scrape targets to read.

    `stale`: seconds after which a target without a new sample is not live.
    """

    def __init__(self, source: Source, preset: Preset, selector: str, *, stale: float) -> None:
        self._source, self._preset, self._selector = source, preset, selector
        self._stale = stale
        self._gateways: set[Target] = set()  # instances that had series, while they are scraped
        self._parts: dict[str, Parts] = {}

    async def window(
        self,
        found: Inspection,
        edges: Edges,
        *,
        at: float,
        seconds: int,
        names: frozenset[Name] | None,
    ) -> Window | Answer:
        """Everything from `seconds` before `at`, or the answer that failed."""
        requests, latency = found.requests, found.latency
        assert requests is not None
        edges_read = edges.in_use(at) if latency is not None else frozenset()
        metrics = [(requests.series, requests.matchers())]
        if requests.failed:
            metrics.append((requests.failed, requests.matchers()))
        if latency is not None and latency.bucket and edges_read:
            metrics.append((latency.bucket, [*latency.matchers(), edges.selector(edges_read)]))
            if latency.also_slow:
                metrics.append((latency.also_slow, latency.matchers()))
        answers = dict(
            zip(
                (metric for metric, _ in metrics),
                await asyncio.gather(
                    *(self._raw(m, where, found, at, seconds, names) for m, where in metrics)
                ),
                strict=True,
            )
        )
        up = Answer()
        if self._selector:  # without matchers `up` would cover every target of this Prometheus
            # Not its last value, which Prometheus repeats for minutes after the last scrape.
            up = await self._source.instant(
                f"up{{{self._selector}}}[{math.ceil(self._stale)}s]", at
            )
        failed = next((a for a in (*answers.values(), up) if a.reason), None)
        if failed is not None:
            return failed
        read = self._reading(found.pod, at)
        counts = _requests(requests, answers, read)
        return Window(
            at - seconds,
            at,
            edges_read,
            counts,
            *_latency(latency, answers, read),
            names=names,
            targets=self._targets(up, read, counts),
            too_large={
                end: metric for metric, _ in metrics for end in self._parts[metric].too_large
            },
        )

    async def _raw(
        self,
        metric: str,
        where: Iterable[str],
        found: Inspection,
        at: float,
        seconds: int,
        names: frozenset[Name] | None,
    ) -> Answer:
        by = self._preset.arm or found.pod or self._preset.pod[0]

        def query(part: Part) -> str:
            revisions = arm_selector(self._preset, found.pod, by.pattern(names, part.suffix))
            without = "|".join(by.pattern(None, suffix) for suffix in part.without)
            others = arm_selector(self._preset, found.pod, without, but=True) if without else ""
            return f"{metric}{{{joined((self._selector, revisions, others, *where))}}}[{seconds}s]"

        return await self._parts.setdefault(metric, Parts()).read(self._source, query, at)

    def forget_sizes(self) -> None:
        """Read whole answers again."""
        for parts in self._parts.values():
            parts.forget()

    def _reading(self, pod: PodLabels | None, at: float) -> Reading:
        if self._preset.arm is not None:
            label = self._preset.arm.label
            return Reading(lambda labels: labels.get(label), _instance, at, at - self._stale)
        by = pod or self._preset.pod[0]
        return Reading(_pod_arm(by), _pod(by), at, at - self._stale)

    def _targets(self, up: Answer, read: Reading, counted: Metric) -> dict[str, tuple[int, int]]:
        """How many exporters answer, of how many: of all (""), and by arm where pods export.

        Other scrape targets, as other teams' pods in the same job, say nothing about these counts.
        """
        answers: dict[tuple[str, Target], bool] = {}
        self._gateways |= counted.first_seen.keys()
        for one in up.series:
            who = read.target(one.labels)
            arm = read.arm(one.labels) if self._preset.per_pod else ""
            if arm is None or (not self._preset.per_pod and who not in self._gateways):
                continue
            is_up = bool(one.samples) and one.samples[-1][1] >= 1
            answers[arm, who] = answers.get((arm, who), False) or is_up
        self._gateways &= {who for _, who in answers}
        targets: dict[str, tuple[int, int]] = {}
        for (arm, _), is_up in answers.items():
            for key in {"", arm}:
                good, every = targets.get(key, (0, 0))
                targets[key] = (good + is_up, every + 1)
        return targets


def _instance(labels: Mapping[str, str]) -> Target:
    """A gateway's instance, whatever job scrapes it."""
    instance = labels.get("instance", "")
    return ("", instance) if instance else (labels.get("job", ""), "")


def _pod(by: PodLabels) -> Callable[[Mapping[str, str]], Target]:
    return lambda labels: (labels.get(by.namespace, ""), labels.get(by.pod, ""))


def _pod_arm(labels: PodLabels) -> Callable[[Mapping[str, str]], str | None]:
    def read(found: Mapping[str, str]) -> str | None:
        service = service_of(found.get(labels.pod, ""))
        return None if service is None else f"{found.get(labels.namespace, '')}/{service}"

    return read


def _requests(requests: Requests, answers: Mapping[str, Answer], read: Reading) -> Metric:
    adds = requests.adds
    metric = Metric().add(answers[requests.series].series, read, key=requests.class_, adds=adds)
    if requests.failed:
        metric.add(answers[requests.failed].series, read, constant=requests.failed, adds=adds)
    return metric


def _latency(
    latency: Latency | None, answers: Mapping[str, Answer], read: Reading
) -> tuple[Metric, Metric]:
    buckets, also_slow = Metric(), Metric()
    if latency is not None and latency.bucket and latency.bucket in answers:
        buckets.add(answers[latency.bucket].series, read, key="le", adds=latency.adds)
        if latency.also_slow and latency.also_slow in answers:
            also_slow.add(answers[latency.also_slow].series, read, adds=latency.adds)
    return buckets, also_slow
