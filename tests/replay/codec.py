"""`Observed` as plain JSON and back.

The recording keeps the names and the flat layout of its first day: `PLACES` says where each of its
values is today. How a value is encoded follows from its type. A spec is kept as the user wrote it,
so that `parse_spec` and `identify` give the spec and its identity again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from merit.api.hashing import Identity, identify
from merit.api.spec import Spec
from merit.api.status import Status
from merit.api.validation import Invalid, parse_spec
from merit.policy.state.observed import Accepted, Ledger, Observed
from merit.stats.counts import Counts, NoSample

Json = dict[str, Any]
PLACES = {  # key in the recording: path in `Observed`
    "name": "name",
    "namespace": "namespace",
    "uid": "uid",
    "generation": "generation",
    "spec": "declared.spec",
    "identity": "declared.identity",
    "status": "status",
    "seen_before": "seen_before",
    "deleting": "deleting",
    "accepted": "recorded.accepted",
    "pin": "pin.value",
    "pin_is_ours": "pin.is_ours",
    "pin_is_foreign": "pin.is_foreign",
    "ledger": "recorded.ledger",
    "ledger_in_sync": "recorded.ledger_in_sync",
    "arms": "pods",
    "route": "traffic.route",
    "job": "jobs.awaited",
    "serving_record": "recorded.evaluation",
    "sample": "measurements.sample",
    "dispersion": "measurements.dispersion",
    "live": "measurements.live",
    "probe": "measurements.comparison",
    "incident": "incident",
    "idle": "traffic.idle",
    "refused": "declared.refused",
    "conflict": "traffic.conflict",
    "contested": "traffic.contested",
    "pin_losses": "pin.losses",
    "traffic_refused": "traffic.refused",
    "tokens": "declared.tokens",
    "jobs": "jobs.names",
    "ended": "jobs.ended",
    "filed": "recorded.entries",
    "figures": "measurements.figures",
    "measuring": "measurements.dispersion_pending",
    "readings": "measurements.readings",
    "distributions": "measurements.distributions",
    "pairs": "measurements.pairs",
    "replicas": "measurements.replicas",
    "warnings": "measurements.warnings",
    "undelivered": "undelivered",
    "training": "jobs.training",
    "training_problem": "jobs.training_problem",
    "refused_writes": "refused_writes",
    "edited": "traffic.edited",
    "tuning": "tuning",
}
DROPPED = ("image_digests", "contested")  # of pods and of the route; no rule reads them now
# By `decide` itself, or of a pass that was none: not recorded.
COMPUTED = ("evidence", "failed", "unread", "counting")
_hints = cache(get_type_hints)


class NotRecordable(Exception):
    """An observation that a test made by hand and that no reconciler would make."""


def _no_source(_: Spec) -> Json:
    raise NotRecordable("a spec that was not parsed")


class Codec:
    """Encodes and decodes observations.

    `pool`: by digest what many records share (specs, rendered children). `source_of`: gives a spec
    as the user wrote it; only encoding needs it.
    """

    def __init__(
        self, pool: Json | None = None, source_of: Callable[[Spec], Json] = _no_source
    ) -> None:
        self.pool = dict(pool or {})
        self._source_of = source_of
        self._name = ""  # of the object that is being decoded
        self._digests: dict[Identity, str] = {}  # of the specs that were encoded
        self._identify = cache(lambda digest: identify(self.pool[digest]))
        self._parse = cache(lambda digest, name: parse_spec(self.pool[digest], name=name))

    def encode_observed(self, seen: Observed) -> Json:
        """All of it but what `decide` computes."""
        return {
            key: self.encode(_type_at(place), attrgetter(place)(seen))
            for key, place in PLACES.items()
        }

    def decode_observed(self, recorded: Json) -> Observed:
        """What `decide` gets today."""
        self._name = recorded["name"]
        groups: dict[str, Json] = defaultdict(dict)
        for key, place in PLACES.items():
            if key not in recorded:
                continue  # a field that is younger than the recording
            group, _, name = place.rpartition(".")
            groups[group][name] = self.decode(_type_at(place), recorded[key])
        top = groups.pop("")
        return Observed(**top, **{name: _type_at(name)(**each) for name, each in groups.items()})

    def encode(self, declared: Any, value: Any) -> Any:
        """A value of that declared type as JSON. Of a union with several types: tagged."""
        if value is None:
            return None
        kinds = _kinds(declared)
        if not _tagged(kinds):
            return self._encode(kinds[0], value)
        kind = next((each for each in kinds if each is type(value)), kinds[0])
        return {_tag(kind): self._encode(kind, value)}

    def decode(self, declared: Any, value: Any) -> Any:
        """A value of that declared type from its JSON."""
        if value is None:
            return None
        kinds = _kinds(declared)
        if not _tagged(kinds):
            return self._decode(kinds[0], value)
        ((tag, inner),) = value.items()
        return self._decode(next(kind for kind in kinds if _tag(kind) == tag), inner)

    def _encode(self, kind: Any, value: Any) -> Any:
        origin, args = get_origin(kind), get_args(kind)
        if kind is Spec:
            return self._put_spec(value)
        if kind is Identity:
            if value not in self._digests:
                raise NotRecordable("an identity of no spec")
            return {"identify": self._digests[value]}
        if kind is Accepted:
            digest = self._put_spec(value.spec)
            if self._identify(digest) != value.identity:
                raise NotRecordable("an identity of another spec")
            children = {name: self._put(getattr(value, name)) for name in ("deployment", "service")}
            return {"name": value.name, "spec": digest, **children}
        if kind is Counts:
            return [_number(value.n), _number(value.bad)]
        if kind is Ledger:
            return value.status.to_dict()
        if isinstance(value, BaseModel):
            return value.to_dict() if kind is Status else value.model_dump(by_alias=True)
        if is_dataclass(value):
            hints = _hints(kind)
            values = {f.name: getattr(value, f.name) for f in fields(kind)}
            return {name: self.encode(hints[name], each) for name, each in values.items()}
        if origin in (dict, Mapping):
            pairs = [(key, self.encode(args[1], each)) for key, each in value.items()]
            return dict(pairs) if args[0] is str else [list(pair) for pair in pairs]
        if origin in (tuple, frozenset):
            items = zip(_items(args, value), value, strict=True)
            found = [self.encode(of, each) for of, each in items]
            return sorted(found) if origin is frozenset else found
        return str(value) if kind is Decimal else _number(value)

    def _decode(self, kind: Any, value: Any) -> Any:
        origin, args = get_origin(kind), get_args(kind)
        if kind is Spec:
            return self._parse(value, self._name)
        if kind is Identity:
            return self._identify(value["identify"])
        if kind is Accepted:
            children = {name: self.pool[value[name]] for name in ("deployment", "service")}
            spec = self._parse(value["spec"], self._name)
            return Accepted(value["name"], self._identify(value["spec"]), spec, **children)
        if kind is Counts:
            return Counts(*map(_from_number, value))
        if kind is Ledger:
            return Ledger(Status.model_validate(value))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind.model_validate(value)
        if is_dataclass(kind):
            hints, known = _hints(kind), (item for item in value.items() if item[0] not in DROPPED)
            return kind(**{name: self.decode(hints[name], each) for name, each in known})
        if origin in (dict, Mapping):
            pairs = value.items() if args[0] is str else value
            return {key: self.decode(args[1], each) for key, each in pairs}
        if origin in (tuple, frozenset):
            items = zip(_items(args, value), value, strict=True)
            return origin(self.decode(of, each) for of, each in items)
        return Decimal(value) if kind is Decimal else _from_number(value)

    def _put_spec(self, spec: Spec) -> str:
        digest = self._put(self._source_of(spec))
        self._digests[self._identify(digest)] = digest
        return digest

    def _put(self, value: object) -> str:
        """Keeps a value in the pool and returns its digest."""
        text = json.dumps(value, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.pool.setdefault(digest, json.loads(json.dumps(value)))
        return digest


@cache
def _type_at(place: str) -> Any:
    """The declared type of what is at that path in `Observed`."""
    found: Any = Observed
    for name in place.split("."):
        found = _hints(found)[name]
    return found


def _kinds(declared: Any) -> tuple[Any, ...]:
    """The types of a union without None; else the type itself."""
    union = isinstance(declared, UnionType) or get_origin(declared) is Union
    return tuple(k for k in get_args(declared) if k is not NoneType) if union else (declared,)


def _tagged(kinds: tuple[Any, ...]) -> bool:
    return NoSample in kinds or kinds == (Spec, Invalid)


def _tag(kind: Any) -> str:
    return "readings" if get_origin(kind) is tuple else kind.__name__.lower()


def _items(args: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """The declared type of each item of a tuple or a set."""
    return args if len(args) > 1 and args[1] is not ... else (args[0],) * len(value)


def _number(value: Any) -> Any:
    """JSON has neither infinity nor NaN: they are kept by name."""
    finite = not isinstance(value, float) or math.isfinite(value)
    return value if finite else {"float": str(value)}


def _from_number(value: Any) -> Any:
    return float(value["float"]) if isinstance(value, dict) and value.keys() == {"float"} else value
