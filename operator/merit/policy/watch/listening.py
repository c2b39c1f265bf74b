"""The watch's score, fed by every pass. Kept in memory, written along with what is written anyway.

Losing it delays an alarm and never makes one; so an object at rest costs no write.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from merit.api.status import Status
from merit.evidence.counts import Sample
from merit.evidence.monitor import Monitor
from merit.policy.observed import Observed
from merit.policy.signals import bars


def listened(seen: Observed) -> Observed:
    """The view after the newest look. An alarm about what serves no more, or other bars, goes."""
    stable, state = seen.status.stable, seen.status.watch or {}
    accepted = seen.accepted.get(f"{stable.short}-{stable.policy}") if stable else None
    if stable is None or accepted is None:
        return seen
    key, declared = accepted.identity.key, bars(accepted.spec)
    ours = state.get("of") == key
    phi = _dispersion(state) if str(state.get("of", "")).startswith(f"{stable.short}-") else {}
    terms = {name: float(value) for name, value in phi.items()}
    constants = seen.tuning.constants
    monitor = Monitor.fresh(declared, constants=constants, phi=terms)
    if ours and "signals" in state:
        with suppress(ValueError):  # an older form, or other bars: losing it only delays
            monitor = Monitor.restore(state, declared, constants=constants, phi=terms)
    if isinstance(seen.live, Sample):
        monitor.observe(seen.live)
    update: dict[str, object] = {"watch": {"of": key, "phi": phi, **monitor.to_status()}}
    if state and not ours:
        update["alarm"] = None
    status = seen.status.model_copy(update=update)
    return replace(seen, status=status, monitor=monitor)


def handed_over(status: Status, key: str) -> dict[str, Any]:
    """The watch of what was just promoted: nothing heard, but how requests are dispersed."""
    signals = (status.analysis or {}).get("signals", ())
    return {"of": key, "phi": {s["name"]: s["phi"] for s in signals if "phi" in s}}


def _dispersion(state: Mapping[str, Any]) -> dict[str, str]:
    found = state.get("phi")
    return dict(found) if isinstance(found, Mapping) else {}
