"""Against the real Alertmanager: what fires, what is refreshed, what is resolved, who is paged."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.loopback.alertmanager import Alertmanager as Server
from merit.alerts.client import Alertmanager
from merit.alerts.outbox import LINGER, REFRESH, Outbox
from merit.policy.telling.alarm import Alarm

PLACE = ("risk", "fraud-scorer")


class People:
    """Who gets notifications: one line a message, its status and the alerts that it holds."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str]]] = []
        people = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                names = [alert["labels"]["alertname"] for alert in sent["alerts"]]
                people.told.append((sent["status"], names))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> People:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with People() as them:
        yield them


@pytest.fixture(scope="module")
def server(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("alertmanager"), webhook=people.url) as running:
        yield running


@asynccontextmanager
async def speaking_to(server: Server) -> AsyncIterator[Alertmanager]:
    client = Alertmanager(server.url)
    try:
        yield client
    finally:
        await client.close()


class Clock:
    """Real time, and what is added to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def alarm(name: str, summary: str = "p99 183ms > 100ms") -> Alarm:
    labels = {
        "alertname": name,
        "severity": "warning",
        "namespace": PLACE[0],
        "name": PLACE[1],
        "team": "risk-ml",
        "contact": "#risk-ml-oncall",
        "reason": "LatencyBreached",
    }
    annotations = {"summary": summary, "runbook_url": "https://runbooks.example.com/fraud"}
    return Alarm(labels=labels, annotations=annotations, since=time.time() - 300.0)


async def until(holds: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


def known(server: Server, name: str) -> dict[str, Any] | None:
    return next((a for a in server.alerts() if a["labels"]["alertname"] == name), None)


async def test_an_alarm_fires_with_the_owners_labels_and_ends_when_its_cause_is_gone(
    server: Server, people: People
) -> None:
    clock = Clock()
    async with speaking_to(server) as client:
        clock.ahead = -LINGER - 1.0
        outbox = Outbox(client, now=clock)
        wanted = alarm("Fires")
        outbox.tell(PLACE, [wanted])
        assert await outbox.deliver()
        found = await until(lambda: known(server, "Fires"), "the alert fires")
        assert found["labels"] == dict(wanted.labels)
        assert found["annotations"] == dict(wanted.annotations)
        assert found["status"]["state"] == "active"
        await until(lambda: ("firing", ["Fires"]) in people.told, "somebody is paged")
        outbox.tell(PLACE, [])
        assert await outbox.deliver() and known(server, "Fires"), "a value that flaps pages once"
        clock.ahead = 0.0
        assert await outbox.deliver()
        await until(lambda: known(server, "Fires") is None, "it is resolved")
        await until(lambda: ("resolved", ["Fires"]) in people.told, "and that is told", 20.0)


async def test_new_numbers_and_a_new_leader_page_nobody_again(
    server: Server, people: People
) -> None:
    clock = Clock()
    async with speaking_to(server) as client:
        outbox = Outbox(client, now=clock)
        outbox.tell(PLACE, [alarm("Once", "1 request")])
        assert await outbox.deliver()
        await until(lambda: ("firing", ["Once"]) in people.told, "somebody is paged")
        first = known(server, "Once")
        assert first is not None
        clock.ahead = REFRESH + 1.0
        outbox.tell(PLACE, [alarm("Once", "2 requests")])
        assert await outbox.deliver()
        another = Outbox(client, now=clock)  # a leader that starts anew
        another.tell(PLACE, [alarm("Once", "3 requests")])
        assert await another.deliver()
        found = await until(
            lambda: (a := known(server, "Once")) and "3" in a["annotations"]["summary"] and a,
            "the numbers are new",
        )
        assert found["fingerprint"] == first["fingerprint"]
        assert found["endsAt"] > first["endsAt"]
        await asyncio.sleep(2.5)  # two and a half of the group's intervals
        assert people.told.count(("firing", ["Once"])) == 1


async def test_what_was_told_while_the_server_was_down_arrives_when_it_is_back(
    tmp_path: Path,
) -> None:
    woken: list[tuple[str, str]] = []
    server = Server(tmp_path)
    clock = Clock()
    async with speaking_to(server) as client:
        outbox = Outbox(client, now=clock, wake=woken.append)
        outbox.tell(PLACE, [alarm("Late")])
        assert not await outbox.deliver()
        assert not outbox.undelivered(PLACE), "a hiccup is no news"
        clock.ahead = 31.0
        assert not await outbox.deliver()
        assert "unreachable" in outbox.undelivered(PLACE)
        assert woken == [PLACE]
        with server:
            assert await outbox.deliver()
            await until(lambda: known(server, "Late"), "it arrives")
            assert not outbox.undelivered(PLACE)
            assert woken == [PLACE, PLACE]
            assert (outbox.delivery.sent, outbox.delivery.failures) == (1, 2)


async def test_an_alert_that_is_refused_keeps_no_other_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merit.alerts.outbox.BATCH", 1)
    async with speaking_to(server) as client:
        outbox = Outbox(client)
        nameless = Alarm(labels={"severity": "warning", "": "x"}, annotations={}, since=0.0)
        outbox.tell(("risk", "another"), [nameless])
        outbox.tell(PLACE, [alarm("Kept")])
        assert not await outbox.deliver()
        assert outbox.delivery.problem == "Alertmanager answered 400"
        await until(lambda: known(server, "Kept"), "the other one arrives")
