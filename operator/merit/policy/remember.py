"""How status remembers: the flow, the ledger, promotions, the last decisions. All bounded."""

from __future__ import annotations

from collections.abc import Mapping

from merit.api.hashing import Identity
from merit.api.status import (
    Candidate,
    DecisionLine,
    FlowStage,
    Leaving,
    Promotion,
    Rejection,
    Revision,
    Stage,
    Status,
)
from merit.policy.observed import Accepted, Observed
from merit.policy.times import seconds, stamp
from merit.policy.verdict import Verdict

LEDGER_SIZE = 10
DECISIONS = 10
DRAIN = 30.0  # an arm keeps its pods so long after its traffic: Accepted is not programmed (C5)
_ORDER = ("Declared", "Evaluation", "Feasibility", "Rollout", "Live")


def told(status: Status, stage: str, verdict: Verdict, now: float, record: str = "") -> Status:
    """The flow with this stage's verdict; its time moves only when the verdict does."""
    old = next((s for s in status.flow if s.stage == stage), None)
    same = old is not None and (old.verdict, old.reason) == (verdict.kind, verdict.reason)
    entry = FlowStage.model_validate(
        {
            "stage": stage,
            "verdict": verdict.kind,
            "reason": verdict.reason,
            "at": old.at if same and old else stamp(now),
            "record": record or (old.record if old else ""),
            "message": verdict.message,
        }
    )
    kept = [s for s in status.flow if s.stage != stage]
    flow = sorted([*kept, entry], key=lambda s: _ORDER.index(s.stage))
    return status.model_copy(update={"flow": tuple(flow)})


def decided(status: Status, what: str, why: str, now: float) -> Status:
    """One more line in the history of decisions, newest first."""
    line = DecisionLine(at=stamp(now), what=what, why=why)
    return status.model_copy(update={"decisions": (line, *status.decisions)[:DECISIONS]})


def rejection(status: Status, identity: Identity) -> Rejection | None:
    """The ledger's entry that forbids this content under the policy it is declared with now."""
    return next(
        (
            entry
            for entry in status.rejected
            if entry.revision == identity.revision
            and entry.policy == identity.stage_policy(entry.stage)
        ),
        None,
    )


def reject(
    status: Status, identity: Identity, stage: Stage, verdict: Verdict, version: str, now: float
) -> Status:
    """The ledger with this content, and no candidate any more: its arm begins to leave."""
    retry = status.candidate.retry if status.candidate is not None else 0
    entry = _entry(identity, stage, verdict, version, now, retry=retry)
    others = tuple(
        e for e in status.rejected if (e.revision, e.stage) != (entry.revision, entry.stage)
    )
    status = status.model_copy(update={"rejected": (entry, *others)})
    return dropped(status, now)


def reject_live(
    status: Status, identity: Identity, before: Revision, verdict: Verdict, now: float
) -> Status:
    """The ledger with what served, and its predecessor as stable: one write, so that nothing that
    was rejected is ever named stable. A newer candidate in its gates goes on.
    """
    old = status.stable
    assert old is not None
    entry = _entry(identity, "Rollout", verdict, old.version, now, retry=0)
    others = tuple(
        e for e in status.rejected if (e.revision, e.stage) != (entry.revision, entry.stage)
    )
    leaving = tuple(arm for arm in status.leaving if arm.short != before.short)
    status = status.model_copy(
        update={
            "rejected": (entry, *others),
            "stable": before,
            "verifying": None,
            "alarm": None,
            "watch": None,
            "signals": (),
            "leaving": leaving,
        }
    )
    gone = leaving_with(status, old.short, now)
    return status.model_copy(update={"leaving": gone})


def bounded(seen: Observed, status: Status) -> Status:
    """The ledger with its newest entries, and those older ones that still forbid something.

    What is declared, and what the pin says, would be tried again without its entry; a revision that
    was promoted and rolled back since could be gone back to.
    """
    spared = {entry.revision for entry in status.promoted}
    spared |= {seen.identity.revision} if seen.identity is not None else set()
    spared |= {seen.pin.from_revision} if seen.pin is not None else set()
    old = (e for e in status.rejected[LEDGER_SIZE:] if e.revision in spared)
    return status.model_copy(update={"rejected": (*status.rejected[:LEDGER_SIZE], *old)})


def _entry(
    identity: Identity, stage: Stage, verdict: Verdict, version: str, now: float, *, retry: int
) -> Rejection:
    return Rejection(
        revision=identity.revision,
        stage=stage,
        policy=identity.stage_policy(stage),
        reason=verdict.reason,
        at=stamp(now),
        evidence=verdict.message,
        version=version,
        retry=retry,
    )


def dropped(status: Status, now: float) -> Status:
    """No candidate: an arm that has pods keeps them until nothing can be on its way to it."""
    candidate = status.candidate
    if candidate is None:
        return status
    update: dict[str, object] = {
        "candidate": None,
        "analysis": None,
        "runs": max(status.runs, candidate.attempt),
    }
    if candidate.stage not in ("Evaluation", "Feasibility"):
        update["leaving"] = leaving_with(status, candidate.short, now)
    return status.model_copy(update=update)


def leaving_with(
    status: Status, short: str, now: float, keep_warm: float = 0.0
) -> tuple[Leaving, ...]:
    """The leaving arms with this one, kept ready for `keep_warm` seconds; an older predecessor is
    no longer kept beside it.
    """
    kept = keep_warm > DRAIN
    others = tuple(
        arm.model_copy(
            update={
                "until": stamp(min(seconds(arm.until), now + DRAIN)),
                "kept": arm.kept and not kept,
            }
        )
        if kept
        else arm
        for arm in status.leaving
        if arm.short != short
    )
    until = stamp(now + max(keep_warm, DRAIN))
    return (Leaving(short=short, since=stamp(now), until=until, kept=kept), *others)


def promoted(status: Status, candidate: Candidate, keep_warm: float, now: float) -> Status:
    """The candidate is stable now; the one before it stays warm for `keep_warm` seconds."""
    at = stamp(now)
    revision = Revision(
        revision=candidate.revision,
        short=candidate.short,
        policy=candidate.policy,
        version=candidate.version,
        promoted_at=at,
        replicas=candidate.replicas,
        bypassed=candidate.bypassed,
    )
    old = status.stable
    status = status.model_copy(
        update={
            "stable": revision,
            "candidate": None,
            "analysis": None,
            "runs": max(status.runs, candidate.attempt),
            "promoted": _promotions(status, revision, at),
            "leaving": tuple(arm for arm in status.leaving if arm.short != revision.short),
        }
    )
    if old is None or old.short == revision.short:
        return status
    leaving = leaving_with(status, old.short, now, keep_warm)
    return status.model_copy(update={"leaving": leaving})


def _promotions(status: Status, revision: Revision, at: str) -> tuple[Promotion, ...]:
    entry = Promotion(
        revision=revision.revision,
        short=revision.short,
        policy=revision.policy,
        version=revision.version,
        at=at,
        replicas=revision.replicas,
        bypassed=revision.bypassed,
    )
    others = (p for p in status.promoted if (p.short, p.policy) != (entry.short, entry.policy))
    return (entry, *others)[:LEDGER_SIZE]


def judged_anew(status: Status, policy: str, now: float) -> Status:
    """The stable revision under a new policy: a new record, which counts as promoted (A4)."""
    assert status.stable is not None
    stable = status.stable.model_copy(update={"policy": policy})
    promotions = _promotions(status, stable, stamp(now))
    return status.model_copy(update={"stable": stable, "promoted": promotions})


def predecessor(status: Status, accepted: Mapping[str, Accepted]) -> Revision | None:
    """The newest promoted revision other than the stable one that is on record and not rejected."""
    for entry in status.promoted:
        record = accepted.get(f"{entry.short}-{entry.policy}")
        serves = status.stable is not None and status.stable.revision == entry.revision
        if record is None or serves or rejection(status, record.identity) is not None:
            continue
        fell = (e for e in status.rejected if e.revision == entry.revision and e.stage == "Rollout")
        if any(seconds(e.at) >= seconds(entry.at) for e in fell):
            continue  # rolled back since, under whatever bars: two bad ones must not take turns
        return serving(entry)
    return None


def serving(entry: Promotion) -> Revision:
    """What was promoted, as what serves."""
    return Revision(
        revision=entry.revision,
        short=entry.short,
        policy=entry.policy,
        version=entry.version,
        promoted_at=entry.at,
        replicas=entry.replicas,
        bypassed=entry.bypassed,
    )


def was_promoted(status: Status, identity: Identity) -> bool:
    """This content passed its gates under this policy before; what was skipped was not passed."""
    return any(
        (p.short, p.policy) == (identity.short, identity.policy) and not p.bypassed
        for p in status.promoted
    )
