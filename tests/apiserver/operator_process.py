"""`merit run` with a reconciler that only tells: the process is real, the decisions are not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from merit.config import load
from merit.kube.cache import Key
from merit.process import app, logs
from merit.process.assembly import Components
from merit.prometheus.sources import PollResult
from merit.reconciler.telemetry import Telemetry


class Printer:
    """Prints every key. A key named `stuck` never ends by itself."""

    async def reconcile(self, key: Key, *, hurried: bool) -> float | None:
        print(f"reconcile {key.namespace}/{key.name}", flush=True)
        if key.name == "stuck":
            await asyncio.sleep(3600)
        return None

    def urgent(self, key: Key) -> bool:
        return False

    def wants_sample(self, key: Key) -> bool:
        return False

    def affected(self, key: Key, obj: dict[str, Any] | None) -> set[Key]:
        return set()

    def polled(self, poll: PollResult, keys: Iterable[Key]) -> None:
        """Nothing is judged."""

    def exposed(self) -> Mapping[str, frozenset[Key]]:
        return {}


class NoPolls:
    """Metrics sources that are never polled."""

    async def run(self, on_poll: object, **_: object) -> None:
        await asyncio.Event().wait()


def build(*_: object) -> Components:
    return Components(reconciler=Printer(), metrics=NoPolls(), telemetry=Telemetry())


if __name__ == "__main__":
    path, identity, port = sys.argv[1:]
    config = load(Path(path))
    logs.configure(level=config.log.level, form=config.log.format)
    options = app.Options(namespace="default", identity=identity, host="127.0.0.1", port=int(port))
    sys.exit(asyncio.run(app.run(config, options, build=build)))
