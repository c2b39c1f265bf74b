"""With the real Alertmanager: what fires, is refreshed, is resolved, and is notified."""

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
from merit.alertmanager.client import Alertmanager
from merit.alertmanager.outbox import LINGER, REFRESH, Outbox
from merit.policy.report.alert_kinds import Alert

KEY = ("risk", "fraud-scorer")


class Receiver:
    """Receives notifications: of each its status and the names of its alerts."""

    def __init__(self) -> None:
        self.notifications: list[tuple[str, list[str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                names = [alert["labels"]["alertname"] for alert in sent["alerts"]]
                receiver.notifications.append((sent["status"], names))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("alertmanager"), webhook=receiver.url) as running:
        yield running


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[Alertmanager]:
    client = Alertmanager(server.url)
    try:
        yield client
    finally:
        await client.close()


class ClockAhead:
    """Real time plus `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def alert(name: str, summary: str = "p99 183ms > 100ms") -> Alert:
    labels = {
        "alertname": name,
        "severity": "warning",
        "namespace": KEY[0],
        "name": KEY[1],
        "team": "risk-ml",
        "contact": "#risk-ml-oncall",
        "reason": "LatencyBreached",
    }
    annotations = {"summary": summary, "runbook_url": "https://runbooks.example.com/fraud"}
    return Alert(labels=labels, annotations=annotations, since=time.time() - 300.0)


async def until(holds: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return found


def known(server: Server, name: str) -> dict[str, Any] | None:
    return next((a for a in server.alerts() if a["labels"]["alertname"] == name), None)


async def test_an_alert_fires_with_the_owners_labels_and_ends_when_its_cause_is_gone(
    server: Server, receiver: Receiver
) -> None:
    clock = ClockAhead()
    async with client_of(server) as client:
        clock.ahead = -LINGER - 1.0
        outbox = Outbox(client, now=clock)
        wanted = alert("Fires")
        outbox.set_alerts(KEY, [wanted])
        assert await outbox.deliver()
        found = await until(lambda: known(server, "Fires"), "the alert fires")
        assert found["labels"] == dict(wanted.labels)
        assert found["annotations"] == dict(wanted.annotations)
        assert found["status"]["state"] == "active"
        await until(
            lambda: ("firing", ["Fires"]) in receiver.notifications, "a notification is sent"
        )
        outbox.set_alerts(KEY, [])
        assert await outbox.deliver() and known(server, "Fires"), "a value that flaps notifies once"
        clock.ahead = 0.0
        assert await outbox.deliver()
        await until(lambda: known(server, "Fires") is None, "it is resolved")
        await until(
            lambda: ("resolved", ["Fires"]) in receiver.notifications, "and that is notified"
        )


async def test_new_numbers_and_a_new_leader_send_no_new_notification(
    server: Server, receiver: Receiver
) -> None:
    clock = ClockAhead()
    async with client_of(server) as client:
        outbox = Outbox(client, now=clock)
        outbox.set_alerts(KEY, [alert("Once", "1 request")])
        assert await outbox.deliver()
        await until(
            lambda: ("firing", ["Once"]) in receiver.notifications, "a notification is sent"
        )
        first = known(server, "Once")
        assert first is not None
        clock.ahead = REFRESH + 1.0
        outbox.set_alerts(KEY, [alert("Once", "2 requests")])
        assert await outbox.deliver()
        another = Outbox(client, now=clock)  # a new leader
        another.set_alerts(KEY, [alert("Once", "3 requests")])
        assert await another.deliver()
        found = await until(
            lambda: (a := known(server, "Once")) and "3" in a["annotations"]["summary"] and a,
            "the numbers are new",
        )
        assert found["fingerprint"] == first["fingerprint"]
        assert found["endsAt"] > first["endsAt"]
        await asyncio.sleep(2.5)  # two and a half of the group's intervals
        assert receiver.notifications.count(("firing", ["Once"])) == 1


async def test_alerts_from_while_the_server_was_down_arrive_when_it_is_back(
    tmp_path: Path,
) -> None:
    woken: list[tuple[str, str]] = []
    server = Server(tmp_path)
    clock = ClockAhead()
    async with client_of(server) as client:
        outbox = Outbox(client, now=clock, wake=woken.append)
        outbox.set_alerts(KEY, [alert("Late")])
        assert not await outbox.deliver()
        assert not outbox.undelivered(KEY), "a short failure is not reported"
        clock.ahead = 31.0
        assert not await outbox.deliver()
        assert "unreachable" in outbox.undelivered(KEY)
        assert woken == [KEY]
        with server:
            assert await outbox.deliver()
            await until(lambda: known(server, "Late"), "it arrives")
            assert not outbox.undelivered(KEY)
            assert woken == [KEY, KEY]
            assert (outbox.delivery.sent, outbox.delivery.failures) == (1, 2)


async def test_a_refused_alert_does_not_stop_the_others(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("merit.alertmanager.outbox.BATCH", 1)
    async with client_of(server) as client:
        outbox = Outbox(client)
        nameless = Alert(labels={"severity": "warning", "": "x"}, annotations={}, since=0.0)
        outbox.set_alerts(("risk", "another"), [nameless])
        outbox.set_alerts(KEY, [alert("Kept")])
        assert not await outbox.deliver()
        assert outbox.delivery.problem == "Alertmanager answered 400"
        await until(lambda: known(server, "Kept"), "the other one arrives")
