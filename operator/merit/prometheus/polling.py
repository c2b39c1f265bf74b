"""The queries of one poll: one per metric, in parts only where an answer is too large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from merit.prometheus.answer import Answer, Series, Source
from merit.prometheus.edges import Edges
from merit.prometheus.inspection import Inspection, arm_selector
from merit.prometheus.preset import Latency, Name, PodLabels, Preset, Requests, joined, service_of
from merit.prometheus.window import Metric, Window

DIGITS = "0123456789abcdef"
CONCURRENCY = 4  # parts of one answer that are read at the same time


class Poller:
    """Reads the window of one source. `selector`: the scrape targets to read."""

    def __init__(self, source: Source, preset: Preset, selector: str) -> None:
        self._source, self._preset, self._selector = source, preset, selector
        self._large: set[str] = set()  # metrics whose answers are read in parts

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
            up = await self._source.instant(f"up{{{self._selector}}}", at)
        failed = next((a for a in (*answers.values(), up) if a.reason), None)
        if failed is not None:
            return failed
        arm = self.arm_of(found.pod)
        return Window(
            at - seconds,
            at,
            edges_read,
            _requests(requests, answers, arm, at),
            *_latency(latency, answers, arm, at),
            names=names,
            targets=self._targets(up, found.pod),
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
        def query(digit: str) -> str:
            revisions = arm_selector(
                self._preset, found.pod, self._pattern(found.pod, names, digit)
            )
            return f"{metric}{{{joined((self._selector, revisions, *where))}}}[{seconds}s]"

        if metric not in self._large:
            answer = await self._source.instant(query("[0-9a-f]"), at)
            if not answer.too_large:
                return answer
            self._large.add(metric)
        return await self._parts([query(digit) for digit in DIGITS], at)

    async def _parts(self, queries: list[str], at: float) -> Answer:
        series: list[Series] = []
        for i in range(0, len(queries), CONCURRENCY):
            some = queries[i : i + CONCURRENCY]
            for answer in await asyncio.gather(*(self._source.instant(q, at) for q in some)):
                if answer.reason:
                    return answer
                series += answer.series
        return Answer(tuple(series))

    def forget_sizes(self) -> None:
        """Read whole answers again."""
        self._large.clear()

    def _pattern(self, pod: PodLabels | None, names: frozenset[Name] | None, digit: str) -> str:
        if self._preset.arm is not None:
            return self._preset.arm.pattern(names, digit)
        return (pod or self._preset.pod[0]).pattern(names, digit)

    def arm_of(self, pod: PodLabels | None) -> Callable[[Mapping[str, str]], str | None]:
        """A function that reads the revision from a series' labels."""
        if self._preset.arm is not None:
            label = self._preset.arm.label
            return lambda labels: labels.get(label)
        return _pod_arm(pod or self._preset.pod[0])

    def _targets(self, up: Answer, pod: PodLabels | None) -> dict[str, tuple[int, int]]:
        """How many targets answer, of how many: of all (""), and by arm where pods are targets."""
        targets: dict[str, tuple[int, int]] = {}
        arm = _pod_arm(pod or self._preset.pod[0]) if self._preset.per_pod else None
        for one in up.series:
            up_now = int(bool(one.samples) and one.samples[-1][1] >= 1)
            revision = arm(one.labels) if arm else None
            for key in ("",) if revision is None else ("", revision):
                good, every = targets.get(key, (0, 0))
                targets[key] = (good + up_now, every + 1)
        return targets


def _pod_arm(labels: PodLabels) -> Callable[[Mapping[str, str]], str | None]:
    def read(found: Mapping[str, str]) -> str | None:
        service = service_of(found.get(labels.pod, ""))
        return None if service is None else f"{found.get(labels.namespace, '')}/{service}"

    return read


def _requests(
    requests: Requests,
    answers: Mapping[str, Answer],
    arm: Callable[[Mapping[str, str]], str | None],
    at: float,
) -> Metric:
    metric = Metric().add(
        answers[requests.series].series,
        arm=arm, key=requests.class_, adds=requests.adds, until=at,
    )  # fmt: skip
    if requests.failed:
        more = answers[requests.failed].series
        metric.add(more, arm=arm, constant=requests.failed, adds=requests.adds, until=at)
    return metric


def _latency(
    latency: Latency | None,
    answers: Mapping[str, Answer],
    arm: Callable[[Mapping[str, str]], str | None],
    at: float,
) -> tuple[Metric, Metric]:
    buckets, also_slow = Metric(), Metric()
    if latency is not None and latency.bucket and latency.bucket in answers:
        series = answers[latency.bucket].series
        buckets.add(series, arm=arm, key="le", adds=latency.adds, until=at)
        if latency.also_slow and latency.also_slow in answers:
            also_slow.add(answers[latency.also_slow].series, arm=arm, adds=latency.adds, until=at)
    return buckets, also_slow
