"""The controllers and kubelets of a fleet: the world's actors, fed by real watches, in threads.

Each object has actors of its own, so the cost of one event does not grow with the fleet.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
import urllib.error
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from e2e.cluster.controlplane import ControlPlane
from merit.kube.kinds import collection
from tests.apiserver.api import VERSIONS, Api, ApiStore
from tests.world.actors import JOB_DURATION, Actors
from tests.world.store import ref_of

Object = dict[str, Any]
WATCHED = ("Deployment", "Job", "Service", "HTTPRoute")  # written by the operator
WORKERS = 2
LABEL = "merit.dev/name"


def far_ahead() -> float:
    """A clock by which every Pod and Job that is created now has already finished."""
    return time.time() + JOB_DURATION


class AdminConnection(Api):
    """An admin's requests over one connection that survives idle times; for one thread."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(plane)
        self._line.timeout = 120  # the machine may be busy

    def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        accept: str = "application/json",
        *,
        patient: bool = True,
    ) -> Object:
        """The reply. Raises urllib.error.HTTPError; 429 only if not `patient`."""
        for _ in range(600):
            try:
                with self.send(verb, path, body, kind, accept) as reply:
                    answer: Object = json.load(reply)
                    return answer
            except urllib.error.HTTPError as error:
                if error.code != 429 or not patient:  # a new kind needs a moment
                    raise
                time.sleep(0.1)
        raise TimeoutError(path)

    def send(
        self, verb: str, path: str, body: Any, kind: str, accept: str
    ) -> http.client.HTTPResponse:
        """The reply, its body unread. Raises urllib.error.HTTPError."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind, "Accept": accept}
        content = None if body is None else json.dumps(body)
        try:
            self._line.request(verb, path, content, headers)
            reply = self._line.getresponse()
        except (OSError, http.client.HTTPException):  # the server closes idle connections
            self._line.close()
            self._line.request(verb, path, content, headers)
            reply = self._line.getresponse()
        if reply.status >= 400:
            error = io.BytesIO(reply.read())
            raise urllib.error.HTTPError(path, reply.status, reply.reason, reply.headers, error)
        return reply

    def watch(self, kind: str, namespace: str) -> Iterator[Mapping[str, Any]]:
        """Every object of the kind, and every event from then on, until `cut` is called."""
        path = f"{collection(VERSIONS[kind], kind, namespace)}?watch=true&timeoutSeconds=3600"
        with self.send("GET", path, None, "application/json", "application/json") as reply:
            assert self._line.sock is not None
            self._line.sock.settimeout(None)
            for line in reply:
                yield json.loads(line)

    def cut(self) -> None:
        """End the watch that another thread reads."""
        if self._line.sock is not None:
            self._line.sock.shutdown(socket.SHUT_RDWR)


class FarAheadStore(ApiStore):
    """Its clock is far ahead of all objects: pods are ready and Jobs have finished at once."""

    def _dated(self, obj: Object) -> Object:
        return obj


class ActorsWithoutCollector(Actors):
    """All actors but the garbage collector, which is the real one."""

    def _collect(self) -> None:
        return


@dataclass
class _Workload:
    """The children of one object, and the events that its actors have not seen yet."""

    actors: ActorsWithoutCollector
    store: FarAheadStore
    inbox: deque[tuple[str, Object, bool]]

    def work(self) -> None:
        while self.inbox:
            kind, obj, gone = self.inbox.popleft()
            whole = obj | {"apiVersion": VERSIONS[kind], "kind": kind}
            ref = ref_of(whole)
            known = self.store.objects.get(ref)
            if gone:
                self.store.objects.pop(ref, None)
            elif known is None or _version(known) < _version(whole):
                self.store.objects[ref] = whole
        self.actors.settle()


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


class FleetActors:
    """The actors of all objects in a namespace. `failed`: what ended a thread."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._namespace = namespace
        self._workloads: dict[str, _Workload] = {}
        self._due: list[SimpleQueue[str | None]] = [SimpleQueue() for _ in range(WORKERS)]
        self._connections = [AdminConnection(plane) for _ in range(WORKERS)]
        self._watches = [AdminConnection(plane) for _ in WATCHED]
        self._ending = False
        self.failed: list[BaseException] = []
        self._threads = [
            *(self._thread(self._work, i) for i in range(WORKERS)),
            *(
                self._thread(self._watch, *pair)
                for pair in zip(self._watches, WATCHED, strict=True)
            ),
        ]

    def close(self) -> None:
        """End all threads and connections."""
        self._ending = True
        for due in self._due:
            due.put(None)
        for connection in self._watches:
            connection.cut()
        for thread in self._threads:
            thread.join(timeout=120)
        for connection in (*self._connections, *self._watches):
            connection.close()

    def _thread(self, target: Any, *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                target(*arguments)
            except BaseException as error:
                if not self._ending:
                    self.failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def _watch(self, connection: AdminConnection, kind: str) -> None:
        for event in connection.watch(kind, self._namespace):
            obj = event["object"]
            name = obj["metadata"].get("labels", {}).get(LABEL)
            if name is not None:
                workload = self._workloads.get(name)
                if workload is None:
                    workload = self._workloads.setdefault(name, self._new(name))
                workload.inbox.append((kind, obj, event["type"] == "DELETED"))
                self._due[self._worker(name)].put(name)

    def _worker(self, name: str) -> int:
        return zlib.crc32(name.encode()) % WORKERS

    def _new(self, name: str) -> _Workload:
        connection = self._connections[self._worker(name)]
        store = FarAheadStore(connection, self._namespace, far_ahead)
        return _Workload(ActorsWithoutCollector(store), store, deque())  # type: ignore[arg-type]

    def _work(self, number: int) -> None:
        while (name := self._due[number].get()) is not None:
            workload = self._workloads[name]
            if workload.inbox:
                workload.work()
