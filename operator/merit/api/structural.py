"""Checks a manifest against the CRD's structural schema, without its CEL rules.

The models find nearly everything first, with better messages. This check adds what they leave to
the API server: fields inside of the parts that they keep as plain maps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from merit.api.quantity import shown
from merit.api.validation import Invalid

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def violations(value: object, schema: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    """Everything that violates the schema; null counts as absent, as in the API server."""
    kind = str(schema.get("type", ""))
    if kind and not _is(value, kind):
        yield Invalid(field, f"{shown(value)} has the wrong type", f"give {_article(kind)}")
        return
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(str(each) for each in schema["enum"])
        yield Invalid(field, f'"{shown(value)}" is not known', f"write one of: {known}")
    if isinstance(value, str):
        yield from _string(value, schema, field)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _within(value, schema, field, ("minimum", "maximum"), "")
    elif isinstance(value, list):
        yield from _within(len(value), schema, field, ("minItems", "maxItems"), " entries")
        for index, item in enumerate(value):
            yield from violations(item, schema.get("items", {}), f"{field}[{index}]")
    elif isinstance(value, dict):
        yield from _object(value, schema, field)


def _object(value: dict[str, Any], schema: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
    for key in schema.get("required", ()):
        if value.get(key) is None:
            yield Invalid(f"{field}.{key}", "is missing", f"add {key}")
    for key, child in value.items():
        if child is None:
            continue
        at = f"{field}.{shown(key)}"
        if key in properties:
            yield from violations(child, properties[key], at)
        elif extra:
            yield from violations(child, extra, at)
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield Invalid(at, "is not a field of this resource", "remove it")


def _string(value: str, schema: Mapping[str, Any], field: str) -> Iterator[Invalid]:
    yield from _within(len(value), schema, field, ("minLength", "maxLength"), " characters")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield Invalid(field, f'"{shown(value)}" is not accepted here', f"match {pattern}")


def _within(
    amount: float, schema: Mapping[str, Any], field: str, keys: tuple[str, str], unit: str
) -> Iterator[Invalid]:
    least, most = (schema.get(key) for key in keys)
    if least is not None and amount < least:
        yield Invalid(field, f"{amount}{unit} is too little", f"use at least {least}{unit}")
    if most is not None and amount > most:
        yield Invalid(field, f"{amount}{unit} is too much", f"use at most {most}{unit}")


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, (object,)))


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
