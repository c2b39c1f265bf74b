"""A `Decision` as plain JSON, and how two of them differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel

from merit.policy.state.decision import Action, Decision, WriteLedger

Json = dict[str, Any]
KINDS = {"EnsureRevision": "EnsureArm", "RemoveRevision": "RemoveArm"}  # as the recording has them
DERIVED = frozenset({"reason"})  # of status: not recorded, and nothing is decided on it
MESSAGES = frozenset({"message", "summary", "what", "why", "detail"})  # keys of sentences
MESSAGE_PATHS = ("rejected.evidence", "signals.value", "signals.bar")  # the same, only there
Difference = tuple[str, Any, Any]  # path, recorded, found
ABSENT = "(absent)"


def encode_decision(decision: Decision) -> Json:
    """All of it, under the names of the recording."""
    status = decision.status.to_dict()
    found = {
        "status": {key: value for key, value in status.items() if key not in DERIVED},
        # The ledger last, as recorded; tests/policy/desired/test_converge.py has its place now.
        "actions": [encode_action(a) for a in sorted(decision.actions, key=_is_ledger)],
        "notes": [_fields(note) for note in decision.notes],
        "decisive_status": decision.decisive_status,
        "fallback": None if decision.fallback is None else encode_action(decision.fallback),
        "again": decision.requeue_after,
        "urgent": decision.urgent,
        "scored": decision.scored,
    }
    plain: Json = json.loads(json.dumps(found, allow_nan=False))
    return plain


def _is_ledger(action: Action) -> bool:
    return isinstance(action, WriteLedger)


def encode_action(action: Action) -> Json:
    """Its kind and its fields. Forget's own field `kind` is named `of`."""
    found = _fields(action)
    if "kind" in found:
        found["of"] = found.pop("kind")
    if "check_ready" in found:
        found["check_ready"].sort()
    if "content" in found:
        found["content"] = {name: _unfolded(text) for name, text in found["content"].items()}
    name = type(action).__name__
    return {"kind": KINDS.get(name, name), **found}


def _fields(value: Any) -> Json:
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_defaults=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _unfolded(text: str) -> Any:
    """JSON inside of a ConfigMap is compared field by field, too."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return text


def differences(old: Any, new: Any, *, messages: bool, path: str = "") -> Iterator[Difference]:
    """All that is not equal. `messages`: sentences count, too."""
    if not messages and is_message(path):
        return
    lists = isinstance(old, list) and isinstance(new, list)
    if lists:
        old, new = _by_name(old), _by_name(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            below = f"{path}[{key}]" if lists else f"{path}.{key}" if path else key
            pair = old.get(key, ABSENT), new.get(key, ABSENT)
            yield from differences(*pair, messages=messages, path=below)
    elif old != new or type(old) is not type(new):
        yield path, old, new


def _by_name(entries: list[Any]) -> Json:
    """The entries of a list by the name that each has, else by their index."""
    for key in ("type", "stage", "name"):
        found = {e[key]: e for e in entries if isinstance(e, dict) and isinstance(e.get(key), str)}
        if entries and len(found) == len(entries):
            return found | {"(order)": list(found)}
    return {str(i): each for i, each in enumerate(entries)}


def is_message(path: str) -> bool:
    """Whether there is a sentence for people at that path."""
    names = [name for name in re.sub(r"\[[^]]*\]", "", path).split(".") if name != "json"]
    return names[-1] in MESSAGES or ".".join(names).endswith(MESSAGE_PATHS)
