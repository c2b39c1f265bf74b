"""Makes a new recording: what `decide` answers in the scenarios and in the tests of the policy.

From the root of the repository: `.venv/bin/python -m tests.replay.record`. It replaces the whole
recording, so use it only on code that is known to decide correctly: what it writes is expected from
then on. Afterwards the tables of `renamed` and `deliberate` can be emptied.
"""

from __future__ import annotations

import copy
import importlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.replay import recording
from tests.replay.recording import Json, Pass

ROOT = Path(__file__).parent.parent.parent
TESTS = ("tests/scenarios", "tests/policy")
EXCLUDED = "crashes or random_histories or killed or disturbed or monitor_tells"  # slow, not new
EVERY = 50  # of the passes that show nothing new, one of so many is kept


class Recorder:
    """A plugin of pytest that wraps `parse_spec` and `decide`, so nothing may import them before.

    A pass is kept if it shows something new, see `shown`, and sometimes if it does not.
    """

    def __init__(self) -> None:
        self._sources: dict[int, tuple[Any, Json]] = {}  # by id of the spec: it, and its source
        self._test = self._rule = ""
        self._passes: dict[tuple[str, str], list[Pass]] = defaultdict(list)  # by test and object
        self._shown: set[tuple[str, ...]] = set()
        self._calls = 0
        self._not_recordable: Counter[str] = Counter()
        validation = importlib.import_module("merit.api.validation")
        vars(validation)["parse_spec"] = self._parsing(validation.parse_spec)
        self._codec = importlib.import_module("tests.replay.codec")
        self._outcome = importlib.import_module("tests.replay.outcome")
        self._pool = self._codec.Codec(source_of=self._source_of)
        self._policy = vars(importlib.import_module("merit.policy.decide"))
        self._policy["decide"] = self._deciding(self._policy["decide"])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remembers which test runs."""
        self._test = nodeid

    def write(self) -> None:
        """Replaces the recording; prints what it has and has not."""
        for old in recording.FOLDER.glob("*.jsonl"):
            old.unlink()
        files: dict[str, list[tuple[str, str, list[Pass]]]] = defaultdict(list)
        for (nodeid, name), passes in self._passes.items():
            module, _, test = nodeid.partition("::")
            files[Path(module).stem.removeprefix("test_")].append((test, name, passes))
        for stem, lives in files.items():
            recording.write(stem, lives)
        passes = [each for many in self._passes.values() for each in many]
        used = set[str]().union(*(digests(each.seen) for each in passes))
        recording.write_pool({key: self._pool.pool[key] for key in used})
        answered = Counter(each.by for each in passes)
        rules = {rule.__name__ for rule in self._policy["RULES"]}
        print("passes:", len(passes), "of", self._calls, dict(answered))
        print("rules without one:", rules - answered.keys())
        print("not recordable:", dict(self._not_recordable))

    def _parsing(self, parse: Callable[..., Any]) -> Callable[..., Any]:
        def parse_spec(raw: Json, *, name: str) -> Any:
            spec = parse(raw, name=name)
            self._sources[id(spec)] = (spec, copy.deepcopy(dict(raw)))
            return spec

        return parse_spec

    def _naming(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        def named(seen: Any, now: float) -> Any:
            decision = rule(seen, now)
            if decision is not None:
                self._rule = rule.__name__
            return decision

        return named

    def _deciding(self, decide: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(seen: Any, now: float) -> Any:
            self._rule, rules = "-", self._policy["RULES"]
            self._policy["RULES"] = tuple(map(self._naming, rules))
            try:
                decision = decide(seen, now)
            finally:
                self._policy["RULES"] = rules
            self._keep(seen, now, decision)
            return decision

        return recorded

    def _keep(self, seen: Any, now: float, decision: Any) -> None:
        self._calls += 1
        try:
            encoded = json.loads(json.dumps(self._pool.encode_observed(seen), allow_nan=False))
        except self._codec.NotRecordable as error:
            self._not_recordable[str(error)] += 1
            return
        assert self._pool.decode_observed(encoded) == seen, encoded
        each = Pass(now, self._rule, encoded, self._outcome.encode_decision(decision))
        new = shown(each) - self._shown
        self._shown |= new
        if new or self._calls % EVERY == 0:
            self._passes[self._test, f"{seen.namespace}/{seen.name}"].append(each)

    def _source_of(self, spec: Any) -> Json:
        known, source = self._sources.get(id(spec), (None, {}))
        if known is not spec:
            raise self._codec.NotRecordable("a spec that was not parsed")
        return source


def shown(each: Pass) -> set[tuple[str, ...]]:
    """What a pass is an example of."""
    before, after, answer, by = each.seen["status"], each.decision["status"], each.decision, each.by
    found = {("rule", by), ("phase", after.get("phase", "").partition(" ")[0], by)}
    found |= {("action", action["kind"], by) for action in answer["actions"]}
    found |= {("note", note["reason"], by) for note in answer["notes"]}
    for part, name in (("flow", "stage"), ("conditions", "type")):
        new = [entry for entry in after.get(part, ()) if entry not in before.get(part, ())]
        found |= {(part, e[name], e["reason"], e.get("verdict", "")) for e in new}
    flags = [key for key in ("decisive_status", "urgent", "scored", "fallback") if answer[key]]
    found |= {("flags", by, *flags)}
    found |= {("changed", key, by) for key in after if before.get(key) != after[key]}
    found |= {("seen", key) for key, value in each.seen.items() if value}
    found |= {
        ("nosample", key, value["nosample"]["reason"])
        for key, value in each.seen.items()
        if isinstance(value, dict) and "nosample" in value
    }
    return found | {("stage", (before.get("candidate") or {}).get("stage", ""), by)}


def digests(seen: Json) -> set[str]:
    """The values of the pool that an observation needs."""
    found = {seen["spec"].get("spec"), (seen["identity"] or {}).get("identify")}
    for record in seen["accepted"].values():
        found |= {record["spec"], record["deployment"], record["service"]}
    return found - {None}


def main() -> int:
    """The exit code of pytest; nothing is written if a test fails."""
    recorder = Recorder()
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--rootdir={ROOT}", "-k", f"not ({EXCLUDED})"]
    code = pytest.main([*options, *(str(ROOT / path) for path in TESTS)], plugins=[recorder])
    if code == 0:
        recorder.write()
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
