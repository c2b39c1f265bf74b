"""Carries out the actions of a decision in their order, and says how far it came."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from merit.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from merit.policy.state.decision import (
    Accept,
    Action,
    ClearPin,
    Decision,
    Divert,
    EnsureRevision,
    Forget,
    Record,
    RemoveJob,
    RemoveRevision,
    Retrain,
    RunJob,
    SetTraffic,
    WriteLedger,
    WritePin,
)
from merit.reconciler.effects.accept import accept
from merit.reconciler.effects.jobs import run_job
from merit.reconciler.effects.object_writer import Foreign, NotReady, ObjectWriter, one_line
from merit.reconciler.effects.records import clear_pin, forget, record, write_ledger, write_pin
from merit.reconciler.effects.revisions import divert, ensure_revision, remove_revision
from merit.reconciler.effects.traffic import set_traffic
from merit.reconciler.effects.training import train
from merit.reconciler.memory import TRY_AGAIN, Memory

log = logging.getLogger("merit.reconciler")

AT_ONCE = 0.0
SOON = 1.0
# No event comes of these, as their effect is put into the cache: the next pass follows at once.
DECISIVE = (SetTraffic, WritePin, ClearPin, Accept)


@dataclass(slots=True)
class Execution:
    """How far the actions of a decision were carried out.

    `requeue_after`: seconds until the next pass, None if only an event can matter. `error`: of the
    API server, or a defect of ours; it is raised once the status is written. `outdated`: what was
    learnt changes the decision, so nothing of it is written: a status in between would only flap.
    """

    requeue_after: float | None
    error: Exception | None = None
    outdated: bool = False


async def execute(
    writer: ObjectWriter,
    decision: Decision,
    may_decide: Callable[[], bool],
    leave: Callable[[Action], bool] = lambda _: False,
) -> Execution:
    """Carry out the decision's actions, those aside that `leave` names.

    Raises what is neither remembered nor in the result. `may_decide`: whether a write that begins
    now ends while this process certainly leads. One slow call may take longer than the Lease has
    left, so that is asked before each.
    """
    memory, refused = writer.memory, writer.memory.refused
    result, left, foreign = Execution(decision.requeue_after), False, set[str]()
    if not decision.decisive_status:
        memory.keep_denied(a.short for a in decision.actions if isinstance(a, EnsureRevision))
        due = {type(action).__name__ for action in decision.actions}
        for action_type in memory.refused_writes.keys() - due:
            del memory.refused_writes[action_type]
    for action in decision.actions:
        if not may_decide():
            break
        failed = memory.denied or result.error is not None
        if isinstance(action, SetTraffic) and (
            foreign.intersection(action.check_ready) or ((failed or left) and action.raises)
        ):
            break  # no share rises beside what failed; going back, and the pin, go on
        if leave(action):
            left = True
            continue
        try:
            await carry_out(writer, action)
        except NotReady as reason:
            log.info("%s: %s", writer.key, reason)
            result.requeue_after = min(result.requeue_after or SOON, SOON)
            break
        except Foreign as conflict:
            result.outdated |= memory.conflict is None
            result.requeue_after = min(result.requeue_after or TRY_AGAIN, TRY_AGAIN)
            memory.conflict = (writer.seen.generation, str(conflict), writer.now)
            if isinstance(action, EnsureRevision):
                foreign.add(action.short)
            continue  # it is the matter of this child alone
        except ApiError as error:
            result.outdated |= _remember_refusal(memory, action, error)
            result.error = error
            continue  # status says what is refused before it is tried again
        except Exception as error:
            result.error = error  # a defect of ours: what does not depend on it still acts
            continue
        if memory.refused_writes.pop(type(action).__name__, None):
            result.outdated = True  # what waited for this write can follow
        if isinstance(action, EnsureRevision):
            memory.denied.pop(action.short, None)
        if isinstance(action, SetTraffic):
            memory.traffic_refused = ""
        if isinstance(action, DECISIVE):
            result.requeue_after = AT_ONCE
    if memory.refused is not refused or not may_decide():
        result.outdated = True
    if result.outdated:
        result.requeue_after = AT_ONCE
    elif decision.actions and result.requeue_after is None:
        result.requeue_after = SOON  # no event comes of what is put into the cache at once
    return result


def _remember_refusal(memory: Memory, action: Action, error: ApiError) -> bool:
    """What status is to say of this error; any other is raised again. Whether it must say so yet.

    etcd answers 500 to an object above its limit.
    """
    final = isinstance(error, (Forbidden, Invalid)) or "too large" in error.message
    if isinstance(action, EnsureRevision) and isinstance(error, (Forbidden, Invalid)):
        memory.denied[action.short] = one_line(error)
    elif isinstance(action, SetTraffic) and not isinstance(error, (Conflict, NotFound)):
        memory.traffic_refused = " ".join(str(error).split())[:300]
    elif final and not isinstance(action, (EnsureRevision, SetTraffic)):
        known, why = memory.refused_writes, one_line(error)
        new = type(action).__name__ not in known
        known[type(action).__name__] = why
        return new
    else:
        raise error
    return False


async def carry_out(writer: ObjectWriter, action: Action) -> None:
    """Carry out one action. Raises ApiError, NotReady or Foreign."""
    await EFFECTS[type(action)](writer, action)


EFFECTS: dict[type[Action], Callable[[ObjectWriter, Any], Awaitable[None]]] = {
    Accept: lambda writer, _: accept(writer),
    EnsureRevision: ensure_revision,
    RemoveRevision: remove_revision,
    SetTraffic: set_traffic,
    Divert: divert,
    RunJob: run_job,
    Retrain: train,
    Record: record,
    RemoveJob: lambda writer, action: writer.remove("batch/v1", "Job", action.name),
    Forget: forget,
    WritePin: write_pin,
    ClearPin: lambda writer, _: clear_pin(writer),
    WriteLedger: write_ledger,
}
