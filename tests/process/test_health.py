"""The endpoints that the kubelet and Prometheus ask."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from merit.process.health import Health, application


def health(*, ready: bool = True, stale: tuple[str, ...] = (), lag: float = 0.0) -> Health:
    return Health(lambda: ready, lambda: stale, lambda: lag, lambda: "merit_leader 1\n")


async def get(path: str, of: Health) -> tuple[int, str]:
    async with TestClient(TestServer(application(of))) as client:
        reply = await client.get(path)
        return reply.status, await reply.text()


async def test_a_standby_is_ready_and_alive() -> None:
    assert (await get("/readyz", health()))[0] == 200
    assert (await get("/livez", health()))[0] == 200


async def test_it_is_not_ready_before_everything_is_listed() -> None:
    assert (await get("/readyz", health(ready=False)))[0] == 503


async def test_a_view_that_is_not_fresh_ends_the_process() -> None:
    assert await get("/livez", health(stale=("Pod",))) == (503, "no fresh view of Pod\n")


async def test_a_blocked_event_loop_ends_the_process() -> None:
    assert (await get("/livez", health(lag=11.0)))[0] == 503


async def test_prometheus_gets_the_metrics_of_the_operator() -> None:
    assert await get("/metrics", health()) == (200, "merit_leader 1\n")
