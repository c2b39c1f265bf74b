"""Differences from the recording that are intended, each with its reason.

A predicate gets the difference (path, recorded value, found value) and the status that is found.
It must be as narrow as possible: what it accepts is no longer compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.replay.outcome import ABSENT, Json

Predicate = Callable[[str, Any, Any, Json], bool]
SIGNALS = {  # reason of a verdict: how the names of its signals begin
    "CrashLoop": ("pods",),
    "PodsDown": ("pods",),
    "PodsGone": ("pods",),
    "ErrorsBreached": ("errors",),
    "ErrorsWorse": ("errors",),
    "ZeroTolerance": ("signals/",),
    "PredictionsShifted": ("drift/",),
    "FleetIncident": ("errors", "signals/"),  # holds a verdict on one of them
}


def comparison_is_named(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old, new) != ("status.conditions[Ready].reason", "Live", "Comparing"):
        return False
    return "comparison" in status and "candidate" not in status


def rollback_takes_trust(path: str, old: Any, new: Any, status: Json) -> bool:
    rolling_back = status.get("phase", "").startswith("RollingBack")
    if not rolling_back or status["trust"] != "Lost" or _condition(status, "Trusted") != "False":
        return False
    match path.removeprefix("status.conditions[Trusted]."):
        case "status":
            return old in ("True", "Unknown") and new == "False"
        case "reason":
            return any(new == entry["reason"] for entry in status["rejected"])
        case "lastTransitionTime":
            return bool(old < new)
    return False


def trust_is_of_what_serves(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old) != ("status.trust", "Lost") or _condition(status, "RolledBack") != "True":
        return False
    return (_condition(status, "Trusted"), new) in (("True", "Earned"), ("Unknown", "Unknown"))


def newer_content_ends_comparison(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old, new) != ("status.phase", "Comparing", "Accepting"):
        return False
    return _condition(status, "Ready", "reason") == "Accepting"


def conflict_has_next_step(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old) != ("status.next", ABSENT) or list(new) != ["what"]:
        return False
    return _condition(status, "Ready", "reason") == "OwnershipConflict"


def verdict_names_signal(path: str, old: Any, new: Any, status: Json) -> bool:
    for entry in status.get("flow", ()):
        if (path, old) == (f"status.flow[{entry['stage']}].signal", ABSENT):
            return str(new).startswith(SIGNALS.get(entry["reason"], ()))
    return False


def silence_is_named(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old, new) != ("status.conditions[Trusted].reason", "NoTraffic", "SignalLost"):
        return False
    silent = (s for s in status["signals"] if "verdict" not in s and "n" not in s)  # NoData, 0
    return any(s["name"].startswith(("signals/", "drift/", "kpi", "cost")) for s in silent)


def few_samples_are_counted(path: str, old: Any, new: Any, status: Json) -> bool:
    for signal in status.get("signals", ()):
        if (path, old) == (f"status.signals[{signal['name']}].n", ABSENT):
            few = "verdict" not in signal and "needs" in signal["value"]  # NoData
            return few and signal["name"].startswith("drift/") and new > 0
    return False


def proof_names_its_steps(path: str, old: Any, new: Any, status: Json) -> bool:
    evidence = ("status.analysis.proofOf", "status.comparison.analysis.proofOf")
    numbers = all(part.replace(".", "").isdigit() for part in str(new).split())
    return path in evidence and old == ABSENT and numbers


def incident_gives_relief(path: str, old: Any, new: Any, status: Json) -> bool:
    """All of such a pass differs: it took the traffic, where the old one did nothing."""
    candidate = status.get("candidate", {})
    return candidate.get("stage") == "Withdrawn" and "excused" in candidate


def comparison_is_not_held(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old, new) != ("scored", True, False) or "comparison" in status:
        return False
    return "serves again" in status["decisions"][0]["what"]


def _condition(status: Json, type_: str, field: str = "status") -> Any:
    return next((c[field] for c in status["conditions"] if c["type"] == type_), None)


def routes_are_kept(path: str, old: Any, new: Any, status: Json) -> bool:
    if (path, old, new) != ("actions[0]", {"kind": "RemoveRoute"}, ABSENT):
        return False
    return _condition(status, "Stalled", "reason") == "OwnershipConflict"


def ledger_is_not_late(path: str, old: Any, new: Any, status: Json) -> bool:
    """Nothing else of it may differ: what it says is what status says."""
    if not (path.startswith("actions[") and path.endswith("]")) or old != ABSENT:
        return False
    if new.get("kind") != "WriteLedger":
        return False
    rejected: Any = new["content"]["rejected"]["json"]
    return len(rejected) == len(status.get("rejected", ()))


def numbers_are_kept(path: str, old: Any, new: Any, status: Json) -> bool:
    if old != ABSENT or not isinstance(new, list):
        return False
    if path == "status.candidate.measured":
        return bool(status["candidate"]["stage"] == "Withdrawn")
    return "rejected" in path and path.endswith(".signals")


DELIBERATE: dict[Predicate, str] = {
    routes_are_kept: "No route is deleted because another object claims the same.",
    numbers_are_kept: "A rejection and a withdrawal keep the numbers of every signal.",
    ledger_is_not_late: "The ledger is written beside traffic and pin, not only after them.",
    comparison_is_named: "Ready's reason names a comparison, as phase and TRUST do.",
    rollback_takes_trust: "While rejected content has traffic Trusted is False, as TRUST is Lost.",
    trust_is_of_what_serves: "After a rollback TRUST is about what serves, as Trusted is.",
    newer_content_ends_comparison: "Phase names the newer content, as Ready's reason does.",
    conflict_has_next_step: "What waits because of a conflict has a next step, too.",
    silence_is_named: "What serves is not trusted while a signal that may act has no data.",
    few_samples_are_counted: "A drift of too few samples says how many there are.",
    incident_gives_relief: "An incident takes a bad candidate's traffic, and excuses it.",
    comparison_is_not_held: "What a comparison shows no incident holds.",
    proof_names_its_steps: "Evidence says which steps it proves: others are proven anew.",
    verdict_names_signal: "A verdict names its signal: the failure mode of that signal decides.",
}
