"""The controllers and kubelets of all namespaces: a process of their own, as in production.

Beside the proxy, one of both would make the other late.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from e2e.cluster.controlplane import ControlPlane
from tests.apiserver.crds import ROOT
from tests.faults.watching import Event, Watches
from tests.fleet.actors import ActorsWithoutCollector, AdminConnection, FarAheadStore, far_ahead
from tests.world.store import ref_of

AGAIN = 0.3  # seconds after which a controller tries again what the API server has refused


@dataclass(frozen=True)
class Access:
    """How the process reaches the API server."""

    url: str
    ca: Path
    secret: str

    def token(self) -> str:
        """Of an admin."""
        return self.secret


class ActorsProcess:
    """The process, until `close`."""

    def __init__(self, plane: ControlPlane) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.actors"],
            stdin=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        order = {"url": plane.url, "ca": str(plane.ca), "secret": plane.token()}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def check(self) -> None:
        """It still works."""
        assert self._process.poll() is None, "the actors have ended; see stderr"

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


class StageActors:
    """`see` is given every event; `failed` is what ended the thread."""

    def __init__(self, plane: Access) -> None:
        self._connection = AdminConnection(plane)  # type: ignore[arg-type]
        self._actors: dict[str, ActorsWithoutCollector] = {}
        self._inbox: deque[Event] = deque()
        self._due: SimpleQueue[str | None] = SimpleQueue()
        self.failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def see(self, event: Event) -> None:
        """An event of the API server's own watch."""
        if event.kind not in ("ConfigMap", "ControllerRevision", "ModelDeployment"):
            self._inbox.append(event)
            self._due.put(event.obj["metadata"]["namespace"])

    def close(self) -> None:
        """End the thread."""
        self._due.put(None)
        self._thread.join(timeout=120)
        self._connection.close()

    def _run(self) -> None:
        try:
            again: dict[str, float] = {}
            while True:
                due = self._wait(0.1 if again else None)
                if due is None:
                    return
                now = time.monotonic()
                due |= {name for name, at in again.items() if at <= now}
                for name in due:
                    again.pop(name, None)
                    if not self._settle(name):
                        again[name] = now + AGAIN
        except BaseException as error:
            self.failed.append(error)
            raise

    def _wait(self, timeout: float | None) -> set[str] | None:
        """The namespaces with news, once each; None at the end."""
        found: set[str] = set()
        try:
            item = self._due.get(timeout=timeout)
            while True:
                if item is None:
                    return None
                found.add(item)
                item = self._due.get_nowait()
        except Empty:
            pass
        while self._inbox:
            self._take(self._inbox.popleft())
        return found

    def _take(self, event: Event) -> None:
        namespace = event.obj["metadata"]["namespace"]
        if namespace not in self._actors:
            store = FarAheadStore(self._connection, namespace, far_ahead)
            self._actors[namespace] = ActorsWithoutCollector(store)  # type: ignore[arg-type]
        known, ref = self._actors[namespace].store.objects, ref_of(event.obj)
        if event.gone:
            if known.get(ref, event.obj)["metadata"]["uid"] == event.obj["metadata"]["uid"]:
                known.pop(ref, None)
        elif ref not in known or int(known[ref]["metadata"]["resourceVersion"]) < event.version:
            known[ref] = event.obj

    def _settle(self, namespace: str) -> bool:
        actors = self._actors.get(namespace)
        if actors is None:
            return True
        try:
            actors.settle()
        except (urllib.error.HTTPError, OSError) as error:
            # Deleted or changed meanwhile, or the API server is down: as every controller does it.
            return getattr(error, "code", 503) in (403, 404)
        except Exception as error:  # what the API server refuses to create
            return type(error).__name__ in ("Conflict", "Forbidden", "NotFound")
        return True


async def work(plane: Access) -> None:
    """Until stdin ends, or anything fails."""
    actors = StageActors(plane)
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with Watches(plane, actors.see) as watches:
        while not over.done():
            watches.check()
            if actors.failed:
                raise actors.failed[0]
            await asyncio.sleep(0.2)
    actors.close()


if __name__ == "__main__":
    found = json.loads(sys.stdin.readline())
    asyncio.run(work(Access(found["url"], Path(found["ca"]), found["secret"])))
