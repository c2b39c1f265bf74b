"""The kinds of values that fields have: how each is read, and its schema in the CRD."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from merit.api.quantity import (
    DECIMAL_PATTERN,
    DURATION_PATTERN,
    MOMENT_PATTERN,
    SHARE_PATTERN,
    Refused,
    parse_decimal,
    parse_duration,
    parse_moment,
    parse_share,
    shown,
)

# One line, not blank, nothing that could move a terminal's cursor.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
HASH_PATTERN = r"^h1:[0-9a-f]{64}$"


def _positive_duration(text: object) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise Refused(f'"{shown(text)}" is no time at all', "write more than 0, as 100ms")
    return seconds


def _stage_duration(text: object) -> float:
    seconds = parse_duration(text)
    if not 0 < seconds <= 300:
        raise Refused(f'"{shown(text)}" is too short or too long', "write at most 5m, as 60s")
    return seconds


def _open_share(text: object) -> float:
    share = parse_share(text)
    if not 0 < share < 1:
        raise Refused(f'"{shown(text)}" leaves nothing to judge', "write more than 0%, below 100%")
    return share


def _confidence(text: object) -> float:
    share = parse_share(text)
    if not 0.5 <= share < 1:
        raise Refused(f'"{shown(text)}" is no usable confidence', "write 50% to 99.99%, as 99%")
    return share


def _money(text: object) -> Decimal:
    amount = parse_decimal(text)
    if amount <= 0:
        raise Refused(f'"{shown(text)}" is no price to stay under', 'write more than 0, as "6.00"')
    return amount


def _margin(text: object) -> Decimal:
    amount = parse_decimal(text)
    if amount < 0:
        raise Refused(f'"{shown(text)}" is less than nothing', 'write 0 or more, as "0.01"')
    return amount


def _string(pattern: str, length: int, *rules: tuple[str, str]) -> WithJsonSchema:
    schema: dict[str, Any] = {"type": "string", "pattern": pattern, "maxLength": length}
    if rules:
        schema["x-kubernetes-validations"] = [{"rule": r, "message": m} for r, m in rules]
    return WithJsonSchema(schema)


_NUMBER = "double(self.substring(0, self.size() - 1))"
_OPEN = ("0.0 < {0} && {0} < 100.0", "write more than 0%, below 100%")

Duration = Annotated[float, BeforeValidator(parse_duration), _string(DURATION_PATTERN, 32)]
PositiveDuration = Annotated[
    float,
    BeforeValidator(_positive_duration),
    _string(DURATION_PATTERN, 32, ("duration(self) > duration('0s')", "write more than 0")),
]
Share = Annotated[
    float,
    BeforeValidator(_open_share),
    _string(SHARE_PATTERN, 12, (_OPEN[0].format(_NUMBER), _OPEN[1])),
]
Confidence = Annotated[
    float,
    BeforeValidator(_confidence),
    _string(SHARE_PATTERN, 12, (f"50.0 <= {_NUMBER} && {_NUMBER} < 100.0", "write 50% to 99.99%")),
]
StageDuration = Annotated[
    float,
    BeforeValidator(_stage_duration),
    _string(
        DURATION_PATTERN,
        32,
        (
            "duration(self) > duration('0s') && duration(self) <= duration('5m')",
            "write more than 0, at most 5m",
        ),
    ),
]
Moment = Annotated[
    float,
    BeforeValidator(parse_moment),
    _string(
        MOMENT_PATTERN,
        32,
        ("timestamp(self) > timestamp('2000-01-01T00:00:00Z')", "write a time that exists"),
    ),
]
Headroom = Annotated[float, BeforeValidator(parse_share), _string(SHARE_PATTERN, 12)]
Number = Annotated[Decimal, BeforeValidator(parse_decimal), _string(DECIMAL_PATTERN, 24)]
Margin = Annotated[
    Decimal,
    BeforeValidator(_margin),
    _string(DECIMAL_PATTERN, 24, ("double(self) >= 0.0", "write 0 or more")),
]
Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    _string(DECIMAL_PATTERN, 24, ("double(self) > 0.0", "write more than 0")),
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
                    "description": f"Seconds after which a run is given up. Default: {deadline}.",
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
