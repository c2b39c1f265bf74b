"""From what status intends to what must be done: arms, traffic, pin, ledger, and what may go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from merit.api.status import Status
from merit.policy.decision import (
    Action,
    Divert,
    EnsureArm,
    RemoveArm,
    RemoveJob,
    RemoveRoute,
    SetTraffic,
    WriteLedger,
)
from merit.policy.gates.needs import expected_job, given_up
from merit.policy.observed import Arm, Observed
from merit.policy.remember import DRAIN
from merit.policy.standing.announce import announced, settles_in, unheard
from merit.policy.standing.arms import SETTLE, fulfilled, plans, stays
from merit.policy.standing.pin import pin_action
from merit.policy.standing.prune import prune
from merit.policy.standing.routes import by_pods
from merit.policy.times import seconds


def converge(seen: Observed, status: Status, now: float) -> tuple[Action, ...]:
    """The actions of one pass, at most one of them decisive: traffic before pin before tidying.

    Traffic that goes back comes before everything: nothing may hold up a rollback.
    """
    arms, traffic = _arms(seen, status, now), _traffic(seen, status, now)
    if seen.traffic_refused and traffic is not None:
        return (*_diverts(seen, status), *_gone_at_once(seen, status, now), traffic, *arms)
    if isinstance(traffic, SetTraffic) and _goes_first(seen, traffic):
        return (traffic, *_gone_at_once(seen, status, now), *arms)
    if traffic is not None:
        return (*arms, traffic)
    pin = pin_action(seen, status, now)
    if pin is not None:
        return (*_gone_at_once(seen, status, now), *arms, pin)
    actions: list[Action] = [*arms, *_tidy(seen, status, now)]
    if not seen.ledger_in_sync and not seen.conflict:
        actions.append(WriteLedger(ledger_content(status)))
    return tuple(actions)


def _goes_first(seen: Observed, traffic: SetTraffic) -> bool:
    """Nothing rises, or only what serves from now on and is up: what it lacks besides can wait."""
    arm = seen.arms.get(traffic.serves, Arm(short=traffic.serves))
    up = arm.in_sync and arm.ready > 0
    return not traffic.raises and (up or not traffic.check_ready)


def wanted_weights(status: Status) -> dict[str, int]:
    """Percent per revision that status intends; empty while nothing may serve."""
    candidate, stable = status.candidate, status.stable
    if stable is None:
        return {}
    beside = candidate if candidate and candidate.weight > 0 else status.verifying
    if beside is None:
        return {stable.short: 100}
    weights = {stable.short: 100 - beside.weight, beside.short: beside.weight}
    return {short: share for short, share in weights.items() if share > 0}


def leaving_until(status: Status, now: float) -> float | None:
    """Seconds until something is due for an arm that leaves."""
    due = [seconds(arm.until) - now for arm in status.leaving]
    for after in (SETTLE, DRAIN):
        due += [left for arm in status.leaving if (left := seconds(arm.since) + after - now) > 0]
    return max(0.5, min(due)) if due else None


def _arms(seen: Observed, status: Status, now: float) -> list[Action]:
    """What each revision lacks. While a name is somebody else's nothing is made: it would fail."""
    if seen.conflict and seen.conflict != seen.contested:
        return []
    return [
        EnsureArm(key=plan.key, replicas=plan.replicas, scaling=plan.scaling, budget=plan.budget)
        for plan in plans(seen, status, now)
        if not fulfilled(plan, seen.arms.get(plan.short, Arm(short=plan.short)))
    ]


def settling(seen: Observed, status: Status, now: float) -> float | None:
    """Seconds until the gateway has surely heard of whoever shall have a first share."""
    weights, stable = wanted_weights(status), status.stable
    return settles_in(seen, weights, stable.short, now) if stable is not None else None


def _traffic(seen: Observed, status: Status, now: float) -> SetTraffic | RemoveRoute | None:
    weights, stable = wanted_weights(status), status.stable
    if seen.route.contested:
        return RemoveRoute()
    if not weights or stable is None or seen.route.foreign or seen.service_foreign:
        return None
    if seen.contested and not seen.route.exists:
        return None
    shares, quiet = dict(seen.route.weights), announced(seen, status, now)
    stands = seen.route.in_sync or bool(seen.conflict)
    unknown = unheard(seen, weights, stable.short, now)
    if unknown:
        heard = set(shares) <= set(weights) and seen.route.in_sync
        weights = shares if heard else {stable.short: 100}
        stands = stands and unknown & quiet <= set(seen.route.known)
    quiet -= {short for short, weight in weights.items() if weight > 0}
    if shares == weights and stands and quiet == seen.route.announced:
        return None
    raised = tuple(s for s, w in weights.items() if w > shares.get(s, 0) and s != stable.short)
    if raised and any(_is_reached(seen, short, weights) for short in seen.arms):
        return None  # by pod count, pods that wait elsewhere would be reached along with it
    if stable.short not in shares:  # what serves till now goes on, until this one can
        raised = (*raised, stable.short)
    return SetTraffic(
        weights=weights,
        key=f"{stable.short}-{stable.policy}",
        serves=stable.short,
        check_ready=raised,
        announced=quiet,
    )


def blocked(seen: Observed, status: Status) -> str:
    """Why a revision has traffic that status has taken from it; empty if none has."""
    wanted = wanted_weights(status)
    kept = [short for short in seen.route.weights if short not in wanted]
    return seen.traffic_refused if kept else ""


def _diverts(seen: Observed, status: Status) -> list[Action]:
    """Whatever the route still sends to a revision that shall have nothing goes to stable's pods.

    Only if these are ready: a bad answer is better than none.
    """
    wanted, stable = wanted_weights(status), status.stable
    if stable is None or by_pods(seen) or f"{stable.short}-{stable.policy}" not in seen.accepted:
        return []
    if seen.arms.get(stable.short, Arm(short=stable.short)).ready == 0:
        return []
    return [
        Divert(short=short, to=f"{stable.short}-{stable.policy}")
        for short in seen.route.weights
        if short not in wanted and not seen.arms.get(short, Arm(short=short)).diverted
    ]


def _is_reached(seen: Observed, short: str, weights: Mapping[str, int]) -> bool:
    """Whether a revision that shall have no share would get one: its pods serve, too."""
    arm = seen.arms[short]
    return by_pods(seen) and short not in weights and (arm.desired > 0 or arm.ready > 0)


def _gone_at_once(seen: Observed, status: Status, now: float) -> list[Action]:
    """By pod count what is rejected loses its pods along with its share."""
    return _leftovers(seen, status, now, set()) if by_pods(seen) else []


def _leftovers(seen: Observed, status: Status, now: float, reached: set[str]) -> list[Action]:
    """Arms that nothing refers to any more, and what strangers left of others."""
    named = (status.stable, status.candidate, status.verifying)
    kept = {r.short for r in named if r is not None} | reached
    if status.candidate is not None and given_up(status.candidate):
        kept.discard(status.candidate.short)  # its pods would only cost
    kept |= {arm.short for arm in status.leaving if stays(seen, arm, now)}
    return [
        RemoveArm(short)
        for short, arm in sorted(seen.arms.items())
        if arm.remains and short not in kept
    ]


def _tidy(seen: Observed, status: Status, now: float) -> list[Action]:
    """Arms and Jobs that nothing refers to any more."""
    actions = _leftovers(seen, status, now, set(seen.route.weights) | seen.route.announced)
    current = expected_job(replace(seen, status=status))
    kept = {current, *_telling(seen, status)}
    actions += [RemoveJob(name) for name in seen.jobs if name not in kept]
    return [*actions, *prune(seen, status)]


def _telling(seen: Observed, status: Status) -> set[str]:
    """Jobs whose log tells more than what is on record: a training's, and of each gate the last run
    that did not pass. They go when something newer is declared.
    """
    kept = {s.record for s in status.flow if s.verdict != "Good"} & seen.ended
    return kept | ({status.retrain.job} if status.retrain else set())


def ledger_content(status: Status) -> dict[str, str]:
    """What outlives the resource: rejected and promoted entries, tokens, the last lines."""
    dumped = status.model_dump(by_alias=True, mode="json")
    parts = ("rejected", "promoted", "lastHandled", "handled", "decisions")
    return {part: json.dumps(dumped[part], sort_keys=True) for part in parts}


def worth_keeping(status: Status) -> bool:
    """Whether there is anything yet that must outlive the resource."""
    return bool(status.rejected or status.promoted or status.last_handled)
