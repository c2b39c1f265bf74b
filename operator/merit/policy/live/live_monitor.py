"""The evidence about what serves: a change detector per bar, fed in every pass.

It is kept in memory and written along with what is written anyway, so that an object at rest costs
no write. Losing it delays an alarm and never makes one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from merit.api.evidence_state import WatchState
from merit.policy.state.counted_signals import bars
from merit.policy.state.evidence import LiveEvidence
from merit.policy.state.observed import Observed
from merit.stats.counts import Sample
from merit.stats.shiryaev_roberts import Monitor


def with_live_evidence(seen: Observed) -> Observed:
    """The view after the newest sample. An alarm about what serves no more, or other bars, goes."""
    stable, kept = seen.status.stable, seen.status.watch
    accepted = seen.record(stable)
    if stable is None or accepted is None:
        return seen
    key, declared = accepted.identity.key, bars(accepted.spec)
    known = kept is not None and kept.of.startswith(f"{stable.short}-")
    phi = kept.phi if kept is not None and known else {}
    terms = {name: float(value) for name, value in phi.items()}
    constants = seen.tuning.constants
    monitor = Monitor(declared, constants=constants, phi=terms)
    if kept is not None and kept.of == key and kept.signals is not None:
        with suppress(ValueError):  # of other bars: losing it only delays
            state = kept.model_dump(by_alias=True)
            monitor = Monitor.restore(state, declared, constants=constants, phi=terms)
    if isinstance(seen.measurements.live, Sample):
        monitor.observe(seen.measurements.live)
    watch = WatchState.model_validate({"of": key, "phi": phi, **monitor.to_status()})
    update: dict[str, object] = {"watch": watch}
    if kept is not None and kept.of != key:
        update["alarm"] = None
    evidence = LiveEvidence(
        alarms=monitor.alarms(),
        elevated=frozenset(bar.name for bar in declared if not monitor.cleared(bar.name)),
    )
    status = seen.status.model_copy(update=update)
    return replace(seen, status=status, evidence=replace(seen.evidence, live=evidence))
