"""The watch's score, fed by every pass. Kept in memory, written along with what is written anyway.

Losing it delays an alarm and never makes one; so an object at rest costs no write.
"""

from __future__ import annotations

from dataclasses import replace

from merit.evidence.counts import Sample
from merit.evidence.monitor import Monitor
from merit.policy.observed import Observed
from merit.policy.signals import bars


def monitor_of(seen: Observed) -> Monitor | None:
    """The watch over what serves, with the state that status remembers; None if nothing serves."""
    stable = seen.status.stable
    key = f"{stable.short}-{stable.policy}" if stable else ""
    accepted = seen.accepted.get(key)
    if accepted is None:
        return None
    state, constants = seen.status.watch, seen.tuning.constants
    if state is not None and state.get("of") == key:
        try:
            return Monitor.restore(state, bars(accepted.spec), constants=constants)
        except ValueError:
            pass  # an older form: losing it only delays
    return Monitor.fresh(bars(accepted.spec), constants=constants)


def listened(seen: Observed) -> Observed:
    """The view after the newest look. An alarm about what serves no more, or other bars, goes."""
    monitor, stable = monitor_of(seen), seen.status.stable
    if monitor is None or stable is None:
        return seen
    if isinstance(seen.live, Sample):
        monitor.observe(seen.live)
    key = f"{stable.short}-{stable.policy}"
    update: dict[str, object] = {"watch": {"of": key, **monitor.to_status()}}
    if seen.status.watch is not None and seen.status.watch.get("of") != key:
        update["alarm"] = None
    return replace(seen, status=seen.status.model_copy(update=update))
