"""The base of all API models, and the types of their fields: how each is read, its CRD schema."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from merit.api.quantity import (
    DECIMAL_PATTERN,
    DURATION_PATTERN,
    MOMENT_PATTERN,
    SHARE_PATTERN,
    InvalidValue,
    parse_decimal,
    parse_duration,
    parse_moment,
    parse_share,
    shown,
)


class Model(
    BaseModel, alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
):
    """A part of the spec or of the configuration. Unknown fields are errors; immutable."""


class Reported(Model, extra="ignore"):
    """A part of status. Unknown fields are ignored: an older operator may read a newer status."""


# One line that is not blank, without control characters.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
HASH_PATTERN = r"^h1:[0-9a-f]{64}$"


def _checked(
    parse: Callable[[object], float | Decimal],
    accepts: Callable[[Any], bool],
    problem: str,
    remedy: str,
) -> BeforeValidator:
    """Reads a value with `parse`, and refuses one that `accepts` does not accept."""

    def read(text: object) -> float | Decimal:
        value = parse(text)
        if not accepts(value):
            raise InvalidValue(f'"{shown(text)}" {problem}', remedy)
        return value

    return BeforeValidator(read)


def _string(pattern: str, length: int, rule: str = "", message: str = "") -> WithJsonSchema:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "maxLength": length}
    if rule:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": message}]
    return WithJsonSchema(schema)


_NUMBER = "double(self.substring(0, self.size() - 1))"
_MORE = "write more than 0"
_OPEN = "write more than 0%, below 100%"

Duration = Annotated[float, BeforeValidator(parse_duration), _string(DURATION_PATTERN, 32)]
PositiveDuration = Annotated[
    float,
    _checked(parse_duration, lambda s: s > 0, "is not a positive duration", f"{_MORE}, as 100ms"),
    _string(DURATION_PATTERN, 32, "duration(self) > duration('0s')", _MORE),
]
Share = Annotated[
    float,
    _checked(parse_share, lambda share: 0 < share < 1, "is not between 0% and 100%", _OPEN),
    _string(SHARE_PATTERN, 12, f"0.0 < {_NUMBER} && {_NUMBER} < 100.0", _OPEN),
]
Confidence = Annotated[
    float,
    _checked(parse_share, lambda c: 0.5 <= c < 1, "is out of range", "write 50% to 99.99%, as 99%"),
    _string(SHARE_PATTERN, 12, f"50.0 <= {_NUMBER} && {_NUMBER} < 100.0", "write 50% to 99.99%"),
]
StageDuration = Annotated[
    float,
    _checked(
        parse_duration,
        lambda seconds: 0 < seconds <= 300,
        "is too short or too long",
        "write at most 5m, as 60s",
    ),
    _string(
        DURATION_PATTERN,
        32,
        "duration(self) > duration('0s') && duration(self) <= duration('5m')",
        "write more than 0, at most 5m",
    ),
]
Moment = Annotated[
    float,
    BeforeValidator(parse_moment),
    _string(
        MOMENT_PATTERN,
        32,
        "timestamp(self) > timestamp('2000-01-01T00:00:00Z')",
        "write a time that exists",
    ),
]
Headroom = Annotated[float, BeforeValidator(parse_share), _string(SHARE_PATTERN, 12)]
Number = Annotated[Decimal, BeforeValidator(parse_decimal), _string(DECIMAL_PATTERN, 24)]
Margin = Annotated[
    Decimal,
    _checked(parse_decimal, lambda n: n >= 0, "is negative", 'write 0 or more, as "0.01"'),
    _string(DECIMAL_PATTERN, 24, "double(self) >= 0.0", "write 0 or more"),
]
Money = Annotated[
    Decimal,
    _checked(parse_decimal, lambda n: n > 0, "is not a positive amount", f'{_MORE}, as "6.00"'),
    _string(DECIMAL_PATTERN, 24, "double(self) > 0.0", _MORE),
]
Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=256)]
Label = Annotated[str, StringConstraints(pattern=LABEL_PATTERN, max_length=63)]
Host = Annotated[str, StringConstraints(pattern=HOST_PATTERN, max_length=253)]
Hash = Annotated[str, StringConstraints(pattern=HASH_PATTERN, max_length=67)]
Step = Annotated[int, Field(ge=1, le=100, strict=True)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Replica = Annotated[int, Field(ge=1, le=1000, strict=True)]
_FREE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
Free = Annotated[dict[str, Any], WithJsonSchema(_FREE)]
Texts = Annotated[
    dict[str, Annotated[str, Field(max_length=4096)]],
    Field(max_length=32),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 32,
            "additionalProperties": {"type": "string", "maxLength": 4096},
        }
    ),
]


def _job(deadline: int) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "object",
            "required": ["template"],
            "properties": {
                "template": {**_FREE, "description": "PodTemplateSpec of the Job's pod."},
                "activeDeadlineSeconds": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 604800,
                    "description": f"Seconds after which a run is stopped. Default: {deadline}.",
                },
                "backoffLimit": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 10,
                    "description": "How many pods may fail before the run counts as failed. "
                    "Default: 1.",
                },
            },
        }
    )


JobSpec = Annotated[dict[str, Any], _job(3600)]
TrainingJob = Annotated[dict[str, Any], _job(86400)]
