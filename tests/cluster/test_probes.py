"""What the kubelet and Prometheus are told."""

from __future__ import annotations

import json
import logging

from aiohttp.test_utils import TestClient, TestServer

from merit.logs import JsonFormatter
from merit.probes import Health, application


def health(*, ready: bool = True, sick: tuple[str, ...] = (), lag: float = 0.0) -> Health:
    return Health(lambda: ready, lambda: sick, lambda: lag, lambda: "merit_leader 1\n")


async def asked(path: str, of: Health) -> tuple[int, str]:
    async with TestClient(TestServer(application(of))) as client:
        reply = await client.get(path)
        return reply.status, await reply.text()


async def test_a_standby_is_ready_and_alive() -> None:
    assert (await asked("/readyz", health()))[0] == 200
    assert (await asked("/livez", health()))[0] == 200


async def test_it_is_not_ready_before_everything_is_listed() -> None:
    assert (await asked("/readyz", health(ready=False)))[0] == 503


async def test_a_view_that_is_not_fresh_ends_the_process() -> None:
    assert await asked("/livez", health(sick=("Pod",))) == (503, "no fresh view of Pod\n")


async def test_a_blocked_event_loop_ends_the_process() -> None:
    assert (await asked("/livez", health(lag=11.0)))[0] == 503


async def test_prometheus_gets_what_the_operator_tells_of_itself() -> None:
    assert await asked("/metrics", health()) == (200, "merit_leader 1\n")


def test_a_log_line_is_one_json_object_with_what_the_caller_adds() -> None:
    record = logging.makeLogRecord(
        {"name": "merit", "msg": "a %s", "args": ("b\nc",), "object": "x"}
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "a b\nc"
    assert json.loads(line)["object"] == "x"
