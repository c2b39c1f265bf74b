"""Each failure mode names a signal that the same object measures."""

from __future__ import annotations

from merit.api.quantity import Refused
from merit.api.rules.constraints import signals
from merit.api.spec import Spec


def check_failure_modes(spec: Spec) -> None:
    """Known signals, each name once. Raises Refused."""
    known = signals(spec.constraints)
    seen: set[str] = set()
    for index, mode in enumerate(spec.failure_modes):
        if mode.signal not in known:
            bound = mode.signal.replace("/", ".")
            raise Refused(
                f'nothing measures "{mode.signal}"',
                f"set constraints.{bound}, or use one of: {', '.join(known)}",
                f"failureModes[{index}].signal",
            )
        if mode.name in seen:
            raise Refused(
                f'"{mode.name}" is used twice', "give each a name", f"failureModes[{index}].name"
            )
        seen.add(mode.name)
