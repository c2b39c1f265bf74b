"""The operator's connection to the API server: `Cluster`'s methods, numbered writes, faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from merit.kube.client import merge_patch
from merit.kube.errors import Conflict, Forbidden, NotFound, Unreachable
from tests.world.merge import Object, cloned
from tests.world.store import Ref, Store, ref_of

MANAGER = "merit"
T = TypeVar("T")


class Killed(BaseException):
    """The operator's process ends here. A BaseException: no handler of its own may catch it."""


@dataclass
class Faults:
    """What goes wrong, by the number of the write, from 1 on, over all restarts.

    `deny`: kinds that the operator has lost the right to write.
    """

    crash_before: frozenset[int] = frozenset()
    crash_after: frozenset[int] = frozenset()
    lose_answer: frozenset[int] = frozenset()
    conflict: frozenset[int] = frozenset()
    deny: frozenset[str] = frozenset()


@dataclass
class ApiServer:
    """The API server as the operator reaches it.

    `writes`: the number of the operator's last write, over restarts; `reads`: how many GETs and
    LISTs; `before` and `after` are called around each write with its number.
    """

    store: Store
    faults: Faults = field(default_factory=Faults)
    writes: int = 0
    reads: int = 0
    log: list[tuple[str, Ref]] = field(default_factory=list)
    before: Callable[[int], None] | None = None
    after: Callable[[int], None] | None = None

    async def create(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        if dry_run:
            self.reads += 1
            return self.store.create(_over_the_wire(obj), MANAGER, dry_run=True)
        return self._write(
            "create", ref_of(obj), lambda: self.store.create(_over_the_wire(obj), MANAGER)
        )

    async def apply(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        if dry_run:
            self.reads += 1
            return self.store.fork(self.store.now).apply(_over_the_wire(obj), MANAGER)
        return self._write(
            "apply", ref_of(obj), lambda: self.store.apply(_over_the_wire(obj), MANAGER)
        )

    async def patch(
        self,
        obj_ref: Object,
        patch: Object,
        *,
        subresource: str | None = None,
        timeout: float = 10.0,
    ) -> Object:
        ref = ref_of(obj_ref)
        return self._write(
            subresource or "patch",
            ref,
            lambda: self.store.patch(ref, _over_the_wire(patch), MANAGER, subresource),
        )

    async def patch_status(
        self, obj: Object, status: Mapping[str, Any], *, timeout: float = 10.0
    ) -> Object:
        body = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "status": merge_patch(obj.get("status") or {}, status),
        }
        return await self.patch(obj, body, subresource="status")

    async def scale(self, obj_ref: Object, replicas: int) -> Object:
        return await self.patch(obj_ref, {"spec": {"replicas": replicas}}, subresource="scale")

    async def delete(self, obj_ref: Object, *, uid: str, propagation: str = "Background") -> None:
        ref = ref_of(obj_ref)

        def delete_if_there() -> None:
            try:
                self.store.delete(ref, MANAGER, uid)
            except NotFound:
                return

        self._write("delete", ref, delete_if_there)

    async def get(
        self, api_version: str, kind: str, namespace: str, name: str, *, timeout: float = 10.0
    ) -> Object | None:
        self.reads += 1
        return self.store.get((kind, namespace, name))

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str = "",
        metadata_only: bool = False,
    ) -> list[Object]:
        self.reads += 1
        return [cloned(obj) for obj in self.store.all(kind, namespace, labels)]

    async def close(self) -> None:
        return None

    def _write(self, verb: str, ref: Ref, commit: Callable[[], T]) -> T:
        self.writes += 1
        number = self.writes
        self.log.append((verb, ref))
        if self.before is not None:
            self.before(number)
        if number in self.faults.crash_before:
            raise Killed(number)
        if number in self.faults.conflict:
            raise Conflict(409, "Conflict", "the object has been modified")
        if ref[0] in self.faults.deny:
            raise Forbidden(403, "Forbidden", f"{ref[0]} {ref[2]} is forbidden to user merit")
        answer = commit()
        if self.after is not None:
            self.after(number)
        if number in self.faults.crash_after:
            raise Killed(number)
        if number in self.faults.lose_answer:
            raise Unreachable(0, "Unreachable", "the connection was reset")
        return answer


def _over_the_wire(obj: Object) -> Object:
    """The object after its way over the network: tuples are lists, and nothing is shared."""
    received: Object = json.loads(json.dumps(obj))
    return received
