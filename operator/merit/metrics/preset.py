"""Presets are data: which series of which gateway say what, and how they name a revision."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from merit.api.base import Model

_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$"
_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$"
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6}


class ArmName(Model):
    """How a backend of one revision is named: a label, its value, and a pattern of all of them."""

    label: str = Field(pattern=_LABEL)
    is_: str = Field(alias="is")
    pattern: str


class Requests(Model):
    """Counters of finished requests by class, and the classes that are errors."""

    series: str = Field(pattern=_METRIC)
    class_: str = Field(alias="class", pattern=_LABEL)
    errors: tuple[str, ...]


class Latency(Model):
    """A histogram, the unit of its edges, and a counter of requests that were too slow for it."""

    bucket: str = Field(pattern=_METRIC)
    unit: Literal["s", "ms", "us"]
    also_slow: str | None = Field(default=None, pattern=_METRIC)

    def edge(self, seconds: float) -> float:
        """Seconds in the unit of the edges."""
        return round(seconds * _UNITS[self.unit], 9)

    def seconds(self, edge: float) -> float:
        """An edge in seconds."""
        return edge / _UNITS[self.unit]


class Preset(Model):
    """Where the evidence of one kind of gateway is found."""

    name: str
    arm: ArmName
    requests: Requests
    latency: Latency | None = None

    def arm_name(self, namespace: str, service: str, port: int) -> str:
        """The label value of one revision's backend."""
        values = {"namespace": namespace, "service": service, "port": str(port)}
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], self.arm.is_)


def load_preset(name: str = "contour-envoy") -> Preset:
    """A preset of the package. ValueError, one sentence, if there is none or it is malformed."""
    if not re.match(r"^[a-z0-9-]{1,63}$", name):
        raise ValueError(f"{name[:63]!r} is no name of a preset")
    path = files("merit.metrics") / "presets" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"there is no preset {name!r}")
    return parse_preset(path.read_text(encoding="utf-8"))


def parse_preset(text: str) -> Preset:
    """A preset from YAML. ValueError, one sentence."""
    try:
        preset = Preset.model_validate(yaml.safe_load(text))
        re.compile(preset.arm.pattern)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"preset: {where}: {first['msg']}") from error
    except (yaml.YAMLError, re.error) as error:
        raise ValueError(f"preset: {str(error).splitlines()[0]}") from error
    unknown = set(re.findall(r"\{(\w+)\}", preset.arm.is_)) - {"namespace", "service", "port"}
    if unknown:
        raise ValueError(f"preset: arm.is knows no {{{min(unknown)}}}")
    return preset
