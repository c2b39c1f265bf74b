"""How status changes: the flow, the ledger, promotions, the last decisions. All are bounded."""

from __future__ import annotations

from collections.abc import Mapping

from merit.api.evidence_state import WatchState
from merit.api.hashing import Identity
from merit.api.status import (
    Candidate,
    DecisionLine,
    FlowStage,
    Leaving,
    Promotion,
    Rejection,
    Revision,
    Signal,
    Stage,
    Status,
)
from merit.policy.state.observed import Accepted, Observed
from merit.policy.state.times import seconds, stamp
from merit.policy.state.verdict import Verdict

LEDGER_SIZE = 10
DECISIONS = 10
DRAIN = 30.0  # seconds that pods stay after their traffic: a gateway applies a route late
_ORDER = ("Declared", "Evaluation", "Feasibility", "Rollout", "Live")


def with_stage(
    status: Status, stage: str, verdict: Verdict, now: float, record: str = ""
) -> Status:
    """The flow with this stage's verdict; its time moves only when the verdict does."""
    old = status.stage(stage)
    same = old is not None and (old.verdict, old.reason) == (verdict.kind, verdict.reason)
    entry = FlowStage.model_validate(
        {
            "stage": stage,
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "at": old.at if same and old else stamp(now),
            "record": record or (old.record if old else ""),
            "message": verdict.message,
            "signal": verdict.signal,
        }
    )
    others = [s for s in status.flow if s.stage != stage]
    flow = sorted([*others, entry], key=lambda s: _ORDER.index(s.stage))
    return status.model_copy(update={"flow": tuple(flow)})


def with_decision(status: Status, what: str, why: str, now: float) -> Status:
    """One more line in the history of decisions, newest first."""
    line = DecisionLine(at=stamp(now), what=what, why=why)
    return status.model_copy(update={"decisions": (line, *status.decisions)[:DECISIONS]})


def rejection(status: Status, identity: Identity) -> Rejection | None:
    """The ledger's entry that forbids this content under the policy it is declared with now."""
    return next(iter(rejections(status, identity)), None)


def rejections(status: Status, identity: Identity) -> list[Rejection]:
    """All entries that forbid it, of whatever stage; the newest first."""
    own = (entry for entry in status.rejected if entry.revision == identity.revision)
    return [entry for entry in own if entry.policy == identity.stage_policy(entry.stage)]


def with_rejection(
    status: Status,
    identity: Identity,
    stage: Stage,
    verdict: Verdict,
    version: str,
    now: float,
    signals: tuple[Signal, ...] = (),
) -> Status:
    """The ledger with this content, and no candidate any more: its pods begin to leave."""
    retry = status.candidate.retry if status.candidate is not None else 0
    status = _with_entry(status, identity, stage, verdict, version, retry, now, signals)
    return without_candidate(status, now)


def with_live_rejection(
    status: Status, identity: Identity, before: Revision, verdict: Verdict, now: float
) -> Status:
    """The ledger with what served, and its predecessor as stable: one write, so that nothing that
    was rejected is ever named stable. A newer candidate in its gates goes on.
    """
    old = status.stable
    assert old is not None
    status = _with_entry(status, identity, "Rollout", verdict, old.version, 0, now, status.signals)
    leaving = _without(with_leaving(status, old.short, now), before.short)
    forgotten = {"comparison": None, "alarm": None, "watch": None, "signals": ()}
    return status.model_copy(update={"stable": before, "leaving": leaving, **forgotten})


def with_bounded_ledger(seen: Observed, status: Status) -> Status:
    """The ledger with its newest entries, and those older ones that still forbid something.

    What is declared, and what the pin names, would be tried again without its entry; a revision
    that was promoted and rolled back since would serve as a predecessor again.
    """
    needed = {entry.revision for entry in status.promoted}
    needed |= {seen.declared.identity.revision} if seen.declared.identity is not None else set()
    needed |= {seen.pin.value.from_revision} if seen.pin.value is not None else set()
    old = (e for e in status.rejected[LEDGER_SIZE:] if e.revision in needed)
    return status.model_copy(update={"rejected": (*status.rejected[:LEDGER_SIZE], *old)})


def _with_entry(
    status: Status,
    identity: Identity,
    stage: Stage,
    verdict: Verdict,
    version: str,
    retry: int,
    now: float,
    signals: tuple[Signal, ...],
) -> Status:
    entry = Rejection(
        revision=identity.revision,
        stage=stage,
        policy=identity.stage_policy(stage),
        reason=verdict.reason,
        at=stamp(now),
        evidence=verdict.message,
        version=version,
        retry=retry,
        signals=signals,
    )
    others = (e for e in status.rejected if (e.revision, e.stage) != (identity.revision, stage))
    return status.model_copy(update={"rejected": (entry, *others)})


def without_candidate(status: Status, now: float) -> Status:
    """No candidate: its pods stay until no request can be on its way to them."""
    candidate = status.candidate
    if candidate is None:
        return status
    update: dict[str, object] = {
        "candidate": None,
        "analysis": None,
        "runs": max(status.runs, candidate.attempt),
    }
    if not candidate.at_gate:
        update["leaving"] = with_leaving(status, candidate.short, now)
    return status.model_copy(update=update)


def with_leaving(
    status: Status, short: str, now: float, keep_warm: float = 0.0
) -> tuple[Leaving, ...]:
    """The leaving revisions with this one, kept ready for `keep_warm` seconds.

    An older predecessor is no longer kept beside it.
    """
    kept = keep_warm > DRAIN
    others = _without(status.leaving, short)
    if kept:
        others = tuple(
            leaving.model_copy(
                update={"until": stamp(min(seconds(leaving.until), now + DRAIN)), "kept": False}
            )
            for leaving in others
        )
    until = stamp(now + max(keep_warm, DRAIN))
    return (Leaving(short=short, since=stamp(now), until=until, kept=kept), *others)


def _without(leaving: tuple[Leaving, ...], short: str) -> tuple[Leaving, ...]:
    return tuple(entry for entry in leaving if entry.short != short)


def with_promotion(status: Status, candidate: Candidate, keep_warm: float, now: float) -> Status:
    """The candidate is stable now; the one before it stays warm for `keep_warm` seconds.

    Of the evidence only the dispersion is kept: the live monitor goes on with it.
    """
    kept = {"revision", "short", "policy", "version", "replicas", "bypassed"}
    revision = Revision(**candidate.model_dump(include=kept), promoted_at=stamp(now))
    old, signals = status.stable, status.analysis.signals if status.analysis is not None else ()
    status = status.model_copy(
        update={
            "stable": revision,
            "candidate": None,
            "analysis": None,
            "watch": WatchState(of=candidate.key, phi={s.name: s.phi for s in signals}),
            "alarm": None,
            "runs": max(status.runs, candidate.attempt),
            "promoted": _promotions(status, revision, now),
            "leaving": _without(status.leaving, revision.short),
        }
    )
    if old is None or old.short == revision.short:
        return status
    leaving = with_leaving(status, old.short, now, keep_warm)
    return status.model_copy(update={"leaving": leaving})


def _promotions(status: Status, revision: Revision, now: float) -> tuple[Promotion, ...]:
    entry = Promotion(**revision.model_dump(exclude={"promoted_at"}), at=stamp(now))
    others = (p for p in status.promoted if p.key != entry.key)
    return (entry, *others)[:LEDGER_SIZE]


def with_new_policy(status: Status, policy: str, now: float) -> Status:
    """The stable revision under a new policy: a new record, which counts as promoted."""
    assert status.stable is not None
    stable = status.stable.model_copy(update={"policy": policy})
    promotions = _promotions(status, stable, now)
    return status.model_copy(update={"stable": stable, "promoted": promotions})


def predecessor(status: Status, accepted: Mapping[str, Accepted]) -> Revision | None:
    """The newest promoted revision other than the stable one that is on record and not rejected."""
    for entry in status.promoted:
        record = accepted.get(entry.key)
        serves = status.stable is not None and status.stable.revision == entry.revision
        if record is None or serves or rejection(status, record.identity) is not None:
            continue
        fell = (e for e in status.rejected if e.revision == entry.revision and e.stage == "Rollout")
        if any(seconds(e.at) >= seconds(entry.at) for e in fell):
            continue  # rolled back since, under whatever bars: two bad ones must not take turns
        return revision_of(entry)
    return None


def revision_of(entry: Promotion) -> Revision:
    """What was promoted, as what serves."""
    return Revision(**entry.model_dump(exclude={"at"}), promoted_at=entry.at)


def was_promoted(status: Status, identity: Identity) -> bool:
    """This content passed its gates under this policy before; what was skipped was not passed."""
    return any(p.key == identity.key and not p.bypassed for p in status.promoted)
