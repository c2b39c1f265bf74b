"""The operator's connection to the world: `Cluster`'s methods, numbered writes, and faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from merit.cluster.errors import Conflict, Forbidden, NotFound, Unreachable
from merit.cluster.patches import merged
from tests.world.merge import Object, cloned
from tests.world.store import Ref, Store, ref_of

MANAGER = "merit"
T = TypeVar("T")


class Killed(BaseException):
    """The operator's process ends here. No handler of its own may catch it."""


@dataclass
class Faults:
    """What goes wrong, by the number of the write (from 1, over all operators of a world).

    `deny`: kinds that the operator has no right to write any more.
    """

    crash_before: frozenset[int] = frozenset()
    crash_after: frozenset[int] = frozenset()
    lose_answer: frozenset[int] = frozenset()
    conflict: frozenset[int] = frozenset()
    deny: frozenset[str] = frozenset()


@dataclass
class Server:
    """One operator's connection. After `cut` every call raises Killed, as its process is gone.

    `writes` numbers the operator's writes over restarts; `reads` counts its GETs and LISTs;
    `before` and `after` are called around each write with its number.
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
            return self.store.create(_sent(obj), MANAGER, dry_run=True)
        return self._write("create", ref_of(obj), lambda: self.store.create(_sent(obj), MANAGER))

    async def apply(self, obj: Object, *, dry_run: bool = False, timeout: float = 10.0) -> Object:
        if dry_run:
            self.reads += 1
            return self.store.fork(self.store.now).apply(_sent(obj), MANAGER)
        return self._write("apply", ref_of(obj), lambda: self.store.apply(_sent(obj), MANAGER))

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
            lambda: self.store.patch(ref, _sent(patch), MANAGER, subresource),
        )

    async def patch_status(
        self, obj: Object, status: Mapping[str, Any], *, timeout: float = 10.0
    ) -> Object:
        body = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "status": merged(obj.get("status") or {}, status),
        }
        return await self.patch(obj, body, subresource="status")

    async def scale(self, obj_ref: Object, replicas: int) -> Object:
        return await self.patch(obj_ref, {"spec": {"replicas": replicas}}, subresource="scale")

    async def delete(self, obj_ref: Object, *, uid: str, propagation: str = "Background") -> None:
        ref = ref_of(obj_ref)

        def gone_is_fine() -> None:
            try:
                self.store.delete(ref, MANAGER, uid)
            except NotFound:
                return

        self._write("delete", ref, gone_is_fine)

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
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
            raise Conflict(409, "Conflict", "somebody else was faster")
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


def _sent(obj: Object) -> Object:
    """The object as it arrives: JSON, so tuples are lists and nothing is shared."""
    sent: Object = json.loads(json.dumps(obj))
    return sent
