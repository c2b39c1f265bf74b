"""Which effect carries out which action."""

from __future__ import annotations

from merit.policy.decision import (
    Accept,
    Action,
    ClearPin,
    Divert,
    EnsureArm,
    Forget,
    Record,
    RemoveArm,
    RemoveJob,
    RemoveRoute,
    Retrain,
    RunJob,
    SetTraffic,
    WriteLedger,
    WritePin,
)
from merit.reconciler.effects.accept import accept
from merit.reconciler.effects.arms import divert, ensure_arm, remove_arm
from merit.reconciler.effects.hands import QUICK, Foreign, Hands, NotReady
from merit.reconciler.effects.jobs import record, run_job
from merit.reconciler.effects.memory import clear_pin, write_ledger, write_pin
from merit.reconciler.effects.prune import forget
from merit.reconciler.effects.traffic import remove_route, set_traffic
from merit.reconciler.effects.training import train

__all__ = ["DECISIVE", "QUICK", "Foreign", "Hands", "NotReady", "execute"]

DECISIVE = (SetTraffic, RemoveRoute, WritePin, ClearPin)


async def execute(hands: Hands, action: Action) -> None:
    """Carry out one action. Raises ApiError, NotReady or Foreign."""
    match action:
        case Accept():
            await accept(hands)
        case EnsureArm():
            await ensure_arm(hands, action)
        case RemoveArm():
            await remove_arm(hands, action)
        case SetTraffic():
            await set_traffic(hands, action)
        case Divert():
            await divert(hands, action)
        case RemoveRoute():
            await remove_route(hands)
        case RunJob():
            await run_job(hands, action)
        case Retrain():
            await train(hands, action)
        case Record():
            await record(hands, action)
        case RemoveJob():
            await hands.remove("batch/v1", "Job", action.name)
        case Forget():
            await forget(hands, action)
        case WritePin():
            await write_pin(hands, action)
        case ClearPin():
            await clear_pin(hands)
        case WriteLedger():
            await write_ledger(hands, action)
