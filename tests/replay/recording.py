"""The files of a recording: one line for each pass, as the difference from the pass before it.

A file must be read from its first line on. `{"scenario", "object"}` names the test and the object
of the passes that follow. Any other line is a pass: `now`; `by`, the rule that answered; `seen`,
the observation without its status; `before`, its status; `answer`, the decision. A status is the
difference from the status of the `last` decision or of the observation that was `seen` last,
whichever is shorter; an action is the difference from the last action of its kind. A long string
is written once in a file, and after that as its number: `{"$": 12}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "recorded"
POOL = "pool-"  # prefix of the files with the values that many passes share
LONG = 16  # characters; a shorter string is never replaced by its number
NAMES = ("type", "name", "stage", "kind")  # fields that identify an entry of a list
DEFAULTS: Json = {  # of a decision: not written
    "actions": [],
    "notes": [],
    "decisive_status": False,
    "fallback": None,
    "again": None,
    "urgent": False,
    "scored": False,
}


@dataclass(frozen=True, slots=True)
class Pass:
    """One call of `decide`, at Unix time `now`. `by`: the rule that answered.

    `seen` and `decision` as `codec` and `outcome` encode them.
    """

    now: float
    by: str
    seen: Json
    decision: Json
    scenario: str = ""
    line: int = 0


def delta(old: Any, new: Any, *, any_order: bool = False) -> Any:
    """How `new` differs from `old`. `any_order`: the order of keys has no meaning.

    `=`: the new value. `~`: changed keys. `-`: removed keys. `l`: a list; its items are indexes
    into the old list, pairs of such an index and a delta, or new values.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        removed = [key for key in old if key not in new]
        changed = {
            key: delta(old[key], value, any_order=any_order) if key in old else {"=": value}
            for key, value in new.items()
            if key not in old or not same(old[key], value)
        }
        found = {"~": changed} | ({"-": removed} if removed else {})
        return found if any_order or same(patched(old, found), new) else {"=": new}
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return {"l": [_item(old, value, any_order) for value in new]}
    return {"=": new}


def _item(old: list[Any], value: Any, any_order: bool) -> Any:
    for i, known in enumerate(old):
        if same(known, value):
            return i
    for i, known in enumerate(old):
        if _same_name(known, value):
            return [i, delta(known, value, any_order=any_order)]
    return {"=": value}


def _same_name(old: Any, new: Any) -> bool:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    return any(key in new and old.get(key) == new[key] for key in NAMES)


def same(old: Any, new: Any) -> bool:
    """Equal, with the same order of keys; 1 is not 1.0."""
    return json.dumps(old) == json.dumps(new)


def patched(old: Any, change: Json) -> Any:
    """The new value, from the old one and its delta."""
    if "=" in change:
        return change["="]
    if "l" in change:
        return [_patched_item(old, item) for item in change["l"]]
    kept = {key: value for key, value in old.items() if key not in change.get("-", ())}
    return kept | {key: patched(old.get(key), part) for key, part in change["~"].items()}


def _patched_item(old: list[Any], item: Any) -> Any:
    if isinstance(item, int):
        return old[item]
    return item["="] if isinstance(item, dict) else patched(old[item[0]], item[1])


class Strings:
    """The long strings of one file, by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._strings: list[str] = []

    def shortened(self, value: Any) -> Any:
        """With a number for every long string that was written before."""
        if isinstance(value, dict):
            return {key: self.shortened(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.shortened(each) for each in value]
        if not isinstance(value, str) or len(value) < LONG:
            return value
        if value in self._numbers:
            return {"$": self._numbers[value]}
        self._numbers[value] = len(self._numbers)
        return value

    def restored(self, value: Any) -> Any:
        """The strings again; lines must come in the order of the file."""
        if isinstance(value, dict):
            if value.keys() == {"$"}:
                return self._strings[value["$"]]
            return {key: self.restored(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.restored(each) for each in value]
        if isinstance(value, str) and len(value) >= LONG:
            self._strings.append(value)
        return value


class Chain:
    """The pass before, from which the next line of a file differs, and its actions by kind."""

    def __init__(self) -> None:
        self._seen: Json = {}
        self._before: Json = {}  # the status of the observation
        self._status: Json = {}  # the status of the decision
        self._actions: Json = {}
        self._strings = Strings()

    def line(self, each: Pass) -> Json:
        """The line of this pass."""
        seen = {key: value for key, value in each.seen.items() if key != "status"}
        before, after = _sorted(each.seen["status"]), _sorted(each.decision["status"])
        answer = {k: v for k, v in each.decision.items() if k != "status" and DEFAULTS[k] != v}
        if "actions" in answer:
            answer["actions"] = [self._action_delta(action) for action in answer["actions"]]
        line = {
            "now": each.now,
            "by": each.by,
            "seen": delta(self._seen, seen),
            "before": _shortest({"last": self._status, "seen": self._before}, before),
            "answer": answer | {"status": _shortest({"seen": before, "last": self._status}, after)},
        }
        self._seen, self._before, self._status = seen, before, after
        short: Json = self._strings.shortened(line)
        return short

    def read(self, line: Json, scenario: str, number: int) -> Pass:
        """The pass of this line."""
        line = self._strings.restored(line)
        self._seen = patched(self._seen, line["seen"])
        before = _applied({"last": self._status, "seen": self._before}, line["before"])
        after = _applied({"seen": before, "last": self._status}, line["answer"]["status"])
        self._before, self._status = before, after
        decision = DEFAULTS | line["answer"] | {"status": after}
        decision["actions"] = [self._action(each) for each in decision["actions"]]
        seen = self._seen | {"status": before}
        return Pass(line["now"], line["by"], seen, decision, scenario, number)

    def _action_delta(self, action: Json) -> Json:
        kind = action["kind"]
        change = delta(self._actions.get(kind, {}), action)
        self._actions[kind] = action
        return {"kind": kind, "but": change}

    def _action(self, line: Json) -> Json:
        kind = line["kind"]
        action: Json = patched(self._actions.get(kind, {}), line["but"])
        self._actions[kind] = action
        return action


def _shortest(bases: Mapping[str, Json], status: Json) -> Json:
    """The shortest delta, under the name of its base."""
    found = [{name: delta(base, status, any_order=True)} for name, base in bases.items()]
    return min(found, key=lambda change: len(json.dumps(change)))


def _applied(bases: Mapping[str, Json], change: Json) -> Json:
    ((base, inner),) = change.items()
    return _sorted(patched(bases[base], inner))


def _sorted(status: Json) -> Json:
    """With sorted keys throughout: their order has no meaning in a status."""
    found: Json = json.loads(json.dumps(status, sort_keys=True))
    return found


def files() -> list[Path]:
    """All files with passes."""
    return [p for p in sorted(FOLDER.glob("*.jsonl")) if not p.name.startswith(POOL)]


def read(path: Path) -> Iterator[Pass]:
    """Every pass of a file."""
    scenario, chain = "", Chain()
    for number, line in enumerate(_lines(path), start=1):
        if "scenario" in line:
            scenario = f"{line['scenario']} ({line['object']})"
        else:
            yield chain.read(line, scenario, number)


def read_pool() -> Json:
    """The values that passes share, by digest."""
    paths = sorted(FOLDER.glob(f"{POOL}*.jsonl"))
    return {line["id"]: line["value"] for path in paths for line in _lines(path)}


def write(name: str, lives: Iterable[tuple[str, str, list[Pass]]]) -> None:
    """One file. `lives`: test, object, and the passes of the object in that test."""
    chain = Chain()
    lines: list[Json] = []
    for scenario, object_name, passes in lives:
        lines += [{"scenario": scenario, "object": object_name}, *map(chain.line, passes)]
    _write(name, lines)


def write_pool(values: Json) -> None:
    """The values that passes share."""
    _write(f"{POOL}1", ({"id": key, "value": value} for key, value in sorted(values.items())))


def _lines(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _write(name: str, lines: Iterable[Json]) -> None:
    with (FOLDER / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            text = json.dumps(line, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
            file.write(f"{text}\n")
