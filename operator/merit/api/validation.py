"""Parses a user's spec, or says which field is wrong, why, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from merit.api.names import MAX_NAME, NAME_PATTERN
from merit.api.quantity import InvalidValue, shown
from merit.api.rules.check import check
from merit.api.spec import Spec

_NAME = re.compile(NAME_PATTERN + r"\Z")
_MISSING = {
    "goal": "say what the model is for: goal: {objective: ...}",
    "owner": "name the team that answers for it: owner: {team: ..., contact: ...}",
    "constraints": "set at least one of latency, errors, cost, as errors: {max: 1%}",
    "failureModes": "declare at least one failure mode: {name, signal, response}",
    "rollbackPolicy": "say whether Merit may roll back: rollbackPolicy: {automatic: true}",
    "parentRefs": "name the Gateway: parentRefs: [{name: ...}]",
    "currency": "name the price book's currency, as USD",
}
_TYPES = {
    "int_type": "a whole number without quotes",
    "float_type": "a number without quotes",
    "string_type": "a string: put it in quotes",
    "bool_type": "true or false, without quotes",
    "dict_type": "a map",
    "model_type": "a map",
    "tuple_type": "a list",
}


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a spec is not accepted. `field`: the path from `spec`, or `metadata.name`.

    `reason`: a key of `api.reasons.REASONS`.
    """

    field: str
    message: str
    remedy: str
    reason: str = "InvalidSpec"

    def sentence(self) -> str:
        """One line for a condition or a terminal."""
        return f"{self.field}: {self.message}; {self.remedy}"


def parse_spec(raw: Mapping[str, Any], *, name: str) -> Spec | Invalid:
    """The spec of the object `name`, from the API server's JSON. Never raises."""
    parsed = read_spec(raw, name=name)
    return parsed if isinstance(parsed, Spec) else parsed[0]


def recorded_spec(raw: Mapping[str, Any]) -> Spec:
    """A spec that was accepted before. Raises ValueError if it cannot be read any more.

    It is not checked again: a rule that came later must not take what serves out of sight.
    """
    return Spec.model_validate(_without_nulls(raw, 0))


def read_spec(raw: Mapping[str, Any], *, name: str) -> Spec | tuple[Invalid, ...]:
    """The same, with all mistakes, the most helpful first. Never raises."""
    if not _NAME.match(name):
        wrong = Invalid(
            "metadata.name",
            f'"{shown(name)}" cannot begin the names of Services and Jobs',
            f"use at most {MAX_NAME} lowercase letters, digits and dashes, a letter first",
        )
        return (wrong,)
    try:
        spec = Spec.model_validate(_without_nulls(raw, 0))
        check(spec)
    except ValidationError as error:
        details = _causes(error.errors(include_url=False))
        # A typo also makes a required field missing: report the typo first.
        return tuple(map(_invalid, sorted(details, key=lambda d: d["type"] != "extra_forbidden")))
    except InvalidValue as invalid:
        return (Invalid(_join("spec", invalid.field), invalid.message, invalid.remedy),)
    except (ValueError, TypeError, RecursionError, OverflowError, ArithmeticError) as error:
        message = f"cannot be read ({type(error).__name__})"
        return (Invalid("spec", message, "apply a valid manifest"),)
    return spec


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without lists that are only too short because an entry of theirs is wrong."""
    places = [error["loc"] for error in details]
    return [
        error
        for error in details
        if error["type"] != "too_short"
        or not any(p != error["loc"] and p[: len(error["loc"])] == error["loc"] for p in places)
    ]


def _invalid(error: ErrorDetails) -> Invalid:
    field = _path(error["loc"])
    last = str(error["loc"][-1]) if error["loc"] else "spec"
    kind, ctx = error["type"], error.get("ctx", {})
    cause = ctx.get("error")
    if isinstance(cause, InvalidValue):
        return Invalid(_join(field, cause.field), cause.message, cause.remedy)
    if kind == "missing":
        return Invalid(field, "is missing", _MISSING.get(last, f"add {last}"))
    if kind == "extra_forbidden":
        return Invalid(field, "is not a field of this resource", _suggestion(error["loc"]))
    if kind == "literal_error":
        return Invalid(field, f'"{shown(error["input"])}" is not known', f"write {ctx['expected']}")
    if kind == "too_short":
        return Invalid(field, "is empty", _MISSING.get(last, "give at least one entry"))
    if kind in _TYPES:
        return Invalid(field, f"{shown(error['input'])} has the wrong type", f"give {_TYPES[kind]}")
    if kind == "string_pattern_mismatch":
        remedy = f"write one line that matches {ctx['pattern']}"
        return Invalid(field, f'"{shown(error["input"])}" is not accepted here', remedy)
    message = error["msg"][:1].lower() + error["msg"][1:]
    return Invalid(field, f"{shown(error['input'])} is not accepted here", message)


def _suggestion(loc: tuple[int | str, ...]) -> str:
    """The field that was most likely meant."""
    model: Any = Spec
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        model = next(
            (_model(f.annotation) for f in model.model_fields.values() if f.alias == part), None
        )
        if model is None:
            return "remove it"
    known = [f.alias or n for n, f in model.model_fields.items() if n != "rollback"]
    close = difflib.get_close_matches(str(loc[-1]), known, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of: {', '.join(known)}"


def _model(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    inner = (_model(a) for a in getattr(annotation, "__args__", ()))
    return next((m for m in inner if m is not None), None)


def _path(loc: tuple[int | str, ...]) -> str:
    path = "spec"
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{shown(part)}"
    return path


def _join(path: str, field: str) -> str:
    if not field:
        return path
    return path + field if field.startswith("[") else f"{path}.{field}"


def _without_nulls(value: Any, depth: int) -> Any:
    """As the API server stores it: null is absent. The server bounds the depth, too."""
    if depth > 200:
        raise ValueError("too deep")
    if isinstance(value, Mapping):
        return {k: _without_nulls(v, depth + 1) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v, depth + 1) for v in value]
    return value
