"""Bugs that are planted on purpose, one by one: the harness must find each that is listed here.

`python -m tests.faults --planted` starts an operator with each of them, and fails if one is not
found. What each takes away is what protects the shipped operator from that fault.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NEVER = 3600.0  # seconds; no plan lasts as long


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug. `plant` changes the operator that is about to start.

    `fault`, `scenario`, `label`: the plans that find it; `label` is a part of the name of a write.
    `patience`: seconds in which the sound operator is through each step of them.
    """

    what: str
    plant: Callable[[], None]
    fault: str
    scenario: str
    label: str
    patience: float = 60.0


def _job_names_by_process() -> None:
    from merit.policy.gates import job_run

    job_run.run_id = lambda *_: f"{os.getpid():06x}"[-6:]  # type: ignore[assignment]


def _traffic_moves_in_the_process_that_decided() -> None:
    from merit.policy.state.decision import SetTraffic
    from merit.reconciler.effects.object_writer import NotReady
    from merit.reconciler.execute import EFFECTS
    from merit.reconciler.loop import Reconciler

    decided: set[Any] = set()
    write_status, set_traffic = Reconciler._write_status, EFFECTS[SetTraffic]

    async def remember(self: Any, this: Any, decision: Any, writer: Any) -> bool:
        if decision.decisive_status:
            decided.add(this.key)
        return await write_status(self, this, decision, writer)

    async def only_then(writer: Any, action: Any) -> None:
        if writer.key not in decided:
            raise NotReady("planted")
        await set_traffic(writer, action)

    Reconciler._write_status = remember  # type: ignore[method-assign]
    EFFECTS[SetTraffic] = only_then


def _what_exists_is_foreign() -> None:
    from merit.kube.errors import Conflict
    from merit.reconciler.effects.object_writer import Foreign, ObjectWriter

    async def create(self: Any, obj: Any) -> None:
        try:
            self._keep(await self.cluster.create(obj))
        except Conflict:
            raise Foreign("planted") from None

    ObjectWriter.create = create  # type: ignore[method-assign]


def _no_retry(of: Callable[[Exception], bool]) -> Callable[[], None]:
    def plant() -> None:
        from merit.kube.workqueue import WorkQueue

        back_off = WorkQueue._back_off

        def give_up(self: Any, key: Any, error: Exception, *, safety: bool) -> float:
            delay = back_off(self, key, error, safety=safety)
            if not of(error):
                return delay
            for lane in self._not_before.values():
                lane[key] = self._clock() + NEVER
            return NEVER

        WorkQueue._back_off = give_up  # type: ignore[method-assign]

    return plant


def _retry_after_has_no_cap() -> None:
    from merit.kube import workqueue

    workqueue.LONGEST_RETRY_AFTER = workqueue.LAST_SAFETY_RETRY = NEVER


def _nothing_is_listed_again() -> None:
    from merit.kube.relist import Relist

    async def once(self: Any, kind: Any) -> bool:
        return True

    Relist.once = once  # type: ignore[method-assign]


def _no_time_limit() -> None:
    from merit.kube.client import Cluster

    request = Cluster._request

    async def patient(self: Any, *args: Any, timeout: float = 0.0, **kwargs: Any) -> Any:
        return await request(self, *args, timeout=NEVER, **kwargs)

    Cluster._request = patient  # type: ignore[method-assign]


def _half_an_answer_is_parsed() -> None:
    from merit.kube import client

    client._object = lambda raw, *, what: json.loads(raw)


def _watches_are_not_opened_again() -> None:
    from merit.kube import watches

    settings = watches.settings

    def chosen(*args: Any, **kwargs: Any) -> Any:
        made = settings(*args, **kwargs)
        made.watching.reconnect_backoff = NEVER
        return made

    watches.settings = chosen
    _nothing_is_listed_again()


def _status(error: Exception) -> int:
    return int(getattr(error, "status", -1))


JOB, RECORD, REJECTED = "create jobs", "create configmaps", "rejected"
EVALUATION, CANARY = "evaluation rejects", "canary rolls back"
PLANTED: dict[str, Planted] = {
    "names by process": Planted(
        "the name of a Job differs in each process",
        _job_names_by_process, "crash after", EVALUATION, JOB),
    "traffic by memory": Planted(
        "what moves traffic is remembered in memory only",
        _traffic_moves_in_the_process_that_decided, "crash after", CANARY, REJECTED),
    "exists": Planted(
        "an object that exists already is taken for somebody else's",
        _what_exists_is_foreign, "answer lost", EVALUATION, RECORD),
    "conflict": Planted(
        "a conflict is not tried again",
        _no_retry(lambda e: _status(e) == 409), "409", EVALUATION, JOB),
    "retry-after": Planted(
        "Retry-After is believed, whatever it is",
        _retry_after_has_no_cap, "429, Retry-After 3600", EVALUATION, JOB, patience=120.0),
    "server error": Planted(
        "an error of the server is taken for the last word",
        _no_retry(lambda e: _status(e) >= 500), "500", EVALUATION, JOB),
    "no relist": Planted(
        "what a watch has missed is never found",
        _nothing_is_listed_again, "events lost", EVALUATION, JOB),
    "no time limit": Planted(
        "an answer is waited for without a limit",
        _no_time_limit, "answer after 60 s", EVALUATION, JOB),
    "half an answer": Planted(
        "an answer that is no JSON raises anything",
        _half_an_answer_is_parsed, "half an answer", EVALUATION, JOB),
    "watches end": Planted(
        "a watch that has expired is not opened again",
        _watches_are_not_opened_again, "watches expired", EVALUATION, JOB),
}  # fmt: skip
