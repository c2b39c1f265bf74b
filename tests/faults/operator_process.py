"""Starts `merit run` as often as it is asked, as its image starts it, but with short waits.

Reads one JSON object a line: the arguments of one process, and prints its pid. It imports the
package once and forks, because a start that imports everything costs seconds of CPU time, and
hundreds are needed. All processes end with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from typing import Any

import merit.process.app
import merit.process.assembly
from merit.__main__ import main
from merit.kube import relist, watches
from merit.kube.workqueue import WorkQueue
from merit.stats.terms import Constants
from tests.faults.planted import PLANTED

# Module constants by name: seconds as they are shipped, and here.
WAITS = {
    "DWELL": (30.0, 3.0),
    "DRAIN": (30.0, 4.0),
    "SETTLE": (5.0, 1.0),
    "SETTLING": (10.0, 2.0),
    "INTERVAL": (600.0, 10.0),
    "LAG": (120.0, 5.0),
    "LEAST": (10, 1_000_000),  # objects: plans that run side by side are no fleet incident
}
UNTOUCHED = ("merit.prometheus.queries",)


def shorten() -> None:
    """Make waits that only the clock ends short, in every module that has taken them."""
    for name, module in list(sys.modules.items()):
        if name.startswith("merit.") and name not in UNTOUCHED:
            for constant, (shipped, short) in WAITS.items():
                if getattr(module, constant, None) == shipped:
                    setattr(module, constant, short)
    assert WAITS["INTERVAL"][1] == relist.INTERVAL
    # Nor may they wait for each other: what a fault costs its own object is measured here.
    assert WorkQueue.__init__.__kwdefaults__ is not None
    WorkQueue.__init__.__kwdefaults__ |= {"routine": 40, "safety": 40, "long": 40}
    merit.config._CONSTANTS = Constants(patience_unmeasured=4.0)
    shipped_settings = watches.settings

    def settings(*args: Any, **kwargs: Any) -> Any:
        chosen = shipped_settings(*args, **kwargs)
        chosen.watching.reconnect_backoff = 0.1
        return chosen

    watches.settings = settings


def run(order: dict[str, Any]) -> None:
    """One operator process, from its start to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with open(order["log"], "ab") as log, open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["KUBECONFIG"] = order["kubeconfig"]
    code = 1
    try:
        for bug in order["planted"]:
            PLANTED[bug].plant()
        code = main(
            ["run", "--config", order["config"], "--listen", order["listen"],
             "--namespace", order["namespace"]]
        )  # fmt: skip
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork for each line of stdin."""
    shorten()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing is left of those that have ended
    pids = []
    try:
        for line in sys.stdin:
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                run(order)
            pids.append(pid)
            print(pid, flush=True)
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
