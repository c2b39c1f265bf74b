"""The evaluation report, `merit.dev/report/v1`: numbers about one model from one run, no verdict.

Untrusted bytes become a `Report` or one reason, never an exception. The operator reads reports with
it, and so does the container that makes a report out of a framework's own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from merit.policy.gates.strict_json import (
    PARSE_ERRORS,
    Refusal,
    count,
    malformed,
    number,
    object_of_names,
    object_with_keys,
    plain,
    read_object,
    string,
)
from merit.policy.state.verdict import Verdict

SCHEMA = "merit.dev/report/v1"
ERROR_SCHEMA = "merit.dev/report-error/v1"  # what the parsing container writes instead of a report
MAX_METRICS = 64
MAX_SLICES = 64
MAX_EDGES = 20
MAX_REFERENCES = 8
_ABSENT = (None, "N/A")  # lm-eval writes "N/A" where it has no error
_ERROR_REASONS = frozenset(
    {"Malformed", "ReportMissing", "ReportTooLarge", "UnknownSchema", "MetricMissing"}
)


@dataclass(frozen=True, slots=True)
class Value:
    """A metric: its value, and what its confidence bounds follow from.

    `n`: samples; `k`: successes among them, then v = k / n; `se`: standard error.
    """

    v: Decimal
    n: int | None = None
    se: Decimal | None = None
    k: int | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """What it was measured on. Equal digests: two reports are about the same rows."""

    name: str = ""
    digest: str = ""
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Stable:
    """The serving model on the same data; `delta` is candidate minus stable, paired."""

    revision: str
    metrics: Mapping[str, Value] = field(default_factory=dict)
    delta: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Rows per bin: `n` is one longer than the upper edges `le`, its last bin is open."""

    le: tuple[Decimal, ...]
    n: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Where the whole result is stored. Shown to people, never fetched."""

    uri: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, numbers only."""

    metrics: Mapping[str, Value]
    dataset: Dataset = Dataset()
    slices: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    stable: Stable | None = None
    reference: Mapping[str, Histogram] = field(default_factory=dict)
    artifact: Artifact | None = None


def parse_report(text: str, *, revision: str, nonce: str) -> Report | Verdict:
    """The report, if it is one and belongs to this run; else Undecided with the reason."""
    try:
        raw = read_object(text)
        if raw.get("schema") not in (SCHEMA, ERROR_SCHEMA):
            raise Refusal("UnknownSchema", f"the report's schema is not {SCHEMA}")
        if raw.get("revision") != revision or raw.get("nonce") != nonce:
            raise Refusal("StaleReport", "the report belongs to another revision or another run")
        if raw["schema"] == ERROR_SCHEMA:
            raise _reported_error(raw)
        return parse_content(raw)
    except Refusal as refused:
        return Verdict("Undecided", refused.reason, plain(str(refused)))
    except PARSE_ERRORS:
        return Verdict("Undecided", "Malformed", "the report is not valid JSON")


def parse_content(raw: Mapping[str, Any]) -> Report:
    """Everything but the binding to a run; unknown keys at the top are ignored. Raises Refusal."""
    if "metrics" not in raw:
        raise malformed("the report has no metrics")
    return Report(
        metrics=_values(raw["metrics"], "metrics"),
        dataset=_dataset(raw.get("dataset") or {}),
        slices=_slices(raw.get("slices") or {}),
        stable=_stable(raw.get("stable") or {}),
        reference={
            name: _histogram(value, f"reference {name}")
            for name, value in object_of_names(
                raw.get("reference") or {}, "reference", MAX_REFERENCES
            ).items()
        },
        artifact=_artifact(raw.get("artifact") or {}),
    )


def _reported_error(raw: Mapping[str, Any]) -> Refusal:
    """The error that the container reports when it cannot parse a framework's file."""
    reason = raw.get("reason")
    if reason not in _ERROR_REASONS:
        return malformed("the report names no reason for what is wrong with it")
    return Refusal(str(reason), string(raw.get("message", ""), "message", 512))


def _values(raw: object, what: str) -> dict[str, Value]:
    metrics = object_of_names(raw, what, MAX_METRICS).items()
    values = {name: _value(value, f"{what}.{name}") for name, value in metrics}
    return {name: value for name, value in values.items() if value is not None}


def _value(raw: object, what: str) -> Value | None:
    if raw in _ABSENT:
        return None
    if not isinstance(raw, dict):
        return Value(number(raw, what))
    given = object_with_keys(raw, what, frozenset({"v", "se", "n", "k"}))
    given = {key: value for key, value in given.items() if value not in _ABSENT}
    n = count(given["n"], f"{what}.n", least=1) if "n" in given else None
    if "k" in given:
        k = count(given["k"], f"{what}.k")
        if n is None or k > n:
            raise malformed(f"{what}: k needs n, and 0 <= k <= n")
        if "v" in given or "se" in given:
            raise malformed(f"{what}: k and n say it all, leave v and se out")
        return Value(Decimal(k) / Decimal(n), n=n, k=k)
    se = number(given["se"], f"{what}.se") if "se" in given else None
    if se is not None and se < 0:
        raise malformed(f"{what}.se is negative")
    if "v" in given:
        return Value(number(given["v"], f"{what}.v"), n=n, se=se)
    if "v" in raw:
        return None  # "N/A" or null
    raise malformed(f"{what} needs v, or k and n")


def _dataset(raw: object) -> Dataset:
    given = object_with_keys(raw, "dataset", frozenset({"name", "digest", "rows"}))
    return Dataset(
        name=string(given.get("name", ""), "dataset.name", 96),
        digest=string(given.get("digest", ""), "dataset.digest", 80),
        rows=count(given["rows"], "dataset.rows") if given.get("rows") is not None else None,
    )


def _slices(raw: object) -> dict[str, dict[str, Value]]:
    slices = object_of_names(raw, "slices", MAX_SLICES)
    for name in slices:
        key, _, value = name.partition("=")
        if not key or not value:
            raise malformed(f'slice "{name}" is not called key=value')
    return {name: _values(values, f"slices.{name}") for name, values in slices.items()}


def _stable(raw: object) -> Stable | None:
    given = object_with_keys(raw, "stable", frozenset({"revision", "metrics", "delta"}))
    revision = string(given.get("revision", ""), "stable.revision", 96)
    metrics = _values(given.get("metrics") or {}, "stable.metrics")
    delta = _values(given.get("delta") or {}, "stable.delta")
    if any(value.k is not None for value in delta.values()):
        raise malformed("stable.delta is a difference: give v and se, not k of n")
    return Stable(revision, metrics, delta) if revision else None  # empty at the first deployment


def _histogram(raw: object, what: str) -> Histogram:
    given = object_with_keys(raw, what, frozenset({"le", "n"}))
    le, n = given.get("le"), given.get("n")
    if not isinstance(le, list) or not isinstance(n, list) or not 1 <= len(le) <= MAX_EDGES:
        raise malformed(f"{what} needs le, 1 to {MAX_EDGES} edges, and n")
    if len(n) != len(le) + 1:
        raise malformed(f"{what}: n is one longer than le, for its last bin is open")
    edges = tuple(number(edge, f"{what}.le") for edge in le)
    if any(after <= before for before, after in pairwise(edges)):
        raise malformed(f"{what}: the edges must increase")
    return Histogram(edges, tuple(count(rows, f"{what}.n") for rows in n))


def _artifact(raw: object) -> Artifact | None:
    given = object_with_keys(raw, "artifact", frozenset({"uri", "sha256"}))
    uri = string(given.get("uri", ""), "artifact.uri", 512)
    return Artifact(uri, string(given.get("sha256", ""), "artifact.sha256", 80)) if uri else None
