"""`merit run` with a reconciler that only tells: the process is real, the decisions are not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from merit import app, logs
from merit.cluster.cache import Cache, Key
from merit.cluster.client import Cluster
from merit.cluster.recorder import Recorder
from merit.config import Config, load
from merit.figures import Calls
from merit.reconciler.witness import Witness
from merit.works import Works


class Tells:
    """Prints every key. A key named `stuck` never ends by itself."""

    may_decide: Callable[[float], bool]
    wake: Callable[[Key], None]

    async def reconcile(self, key: Key) -> float | None:
        print(f"reconcile {key.namespace}/{key.name}", flush=True)
        if key.name == "stuck":
            await asyncio.sleep(3600)
        return None

    def urgent(self, key: Key) -> bool:
        return False

    def wants_sample(self, key: Key) -> bool:
        return False

    def concerned(self, key: Key, obj: dict[str, Any] | None) -> set[Key]:
        return set()

    def looked(self, keys: Iterable[Key]) -> None:
        """Nobody waits for it."""


class Blind:
    """A fleet that never looks."""

    async def run(self, told: object) -> None:
        await asyncio.Event().wait()


def build(
    cluster: Cluster, cache: Cache, recorder: Recorder, config: Config, calls: Calls
) -> Works:
    return Works(reconciler=Tells(), fleet=Blind(), witness=Witness())


if __name__ == "__main__":
    path, identity, port = sys.argv[1:]
    config = load(Path(path))
    logs.configure(level=config.log.level, form=config.log.format)
    options = app.Options(namespace="default", identity=identity, host="127.0.0.1", port=int(port))
    sys.exit(asyncio.run(app.run(config, options, build=build)))
