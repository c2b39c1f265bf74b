"""Presets are data: which series of a gateway or server count what, and for which revision.

And the PromQL that selects them: closed templates, quoted values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from merit.api.fields import Model

_METRIC = r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$"
_LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$"
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6}
_DNS = "[a-z0-9][-a-z0-9]*"
# A pod of a Deployment: its name, the hash of its ReplicaSet, five characters. The first two run
# into each other where the name is long.
_POD = re.compile(r"^(.+-[0-9a-f]{8})-(?:[a-z0-9]{1,10}-[a-z0-9]{5}|[a-z0-9]{6,15})$")

Metric = Annotated[str, Field(pattern=_METRIC)]
Label = Annotated[str, Field(pattern=_LABEL)]
Name = tuple[str, str]  # namespace and name of a ModelDeployment


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


class ArmName(Model):
    """How a gateway names the backend of one revision: a label, and its value."""

    label: Label
    is_: Annotated[
        tuple[str, ...], BeforeValidator(_listed), Field(alias="is", min_length=1, max_length=4)
    ]

    def names(self, namespace: str, service: str, port: int) -> tuple[str, ...]:
        """The values that one revision's backend may have, best first."""
        values = {"namespace": namespace, "service": service, "port": str(port)}
        return tuple(_filled(one, values) for one in self.is_)

    def pattern(self, names: Iterable[Name] | None, end: str = "") -> str:
        """A regular expression of the values of all revisions, or of those of `names` only.

        `end`: the last hex digits of the revisions' names.
        """
        parts = []
        for namespace, name in [("", "")] if names is None else sorted(names):
            values = {
                "namespace": re.escape(namespace) or _DNS,
                "service": f"{re.escape(name) or _DNS}-{_ending(end)}",
                "port": "[0-9]+",
            }
            parts += [_filled(re.escape(one), values) for one in self.is_]
        return "|".join(parts)


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\\?\{(\w+)\\?\}", lambda found: values[found[1]], template)


def _ending(end: str) -> str:
    return f"[0-9a-f]{{{8 - len(end)}}}{end}"


class PodLabels(Model):
    """The labels of a server's series that name its pod."""

    namespace: Label = "namespace"
    pod: Label = "pod"

    def pattern(self, names: Iterable[Name] | None, end: str = "") -> str:
        """A regular expression of the pods of all revisions, or of those of `names` only."""
        pods = [_DNS] if names is None else sorted({re.escape(name) for _, name in names})
        return "|".join(f"{pod}-{_ending(end)}-.+" for pod in pods)


def service_of(pod: str) -> str | None:
    """The Deployment, `<name>-<rev8>`, that a pod belongs to; None if it is none of Merit's."""
    found = _POD.match(pod)
    return found[1] if found else None


class Series(Model):
    """What requests and latency have in common: which of the series count.

    `where`: labels that must have these values. `except`: values that leave a series out, as the
    paths of probes. `adds`: labels by which one target splits a count into parts that add up.
    """

    where: dict[Label, str] = Field(default_factory=dict, max_length=8)
    except_: dict[Label, tuple[str, ...]] = Field(
        default_factory=dict, alias="except", max_length=8
    )
    adds: tuple[Label, ...] = ()

    def matchers(self) -> list[str]:
        """As matchers of PromQL."""
        found = [f'{label}="{quoted(value)}"' for label, value in sorted(self.where.items())]
        for label, values in sorted(self.except_.items()):
            found.append(f'{label}!~"{quoted("|".join(re.escape(v) for v in values))}"')
        return found


class Requests(Series):
    """Counters of finished requests. Errors are classes of a label, or a counter of their own.

    `errors`: regular expressions of classes. `failed`: a counter of failures that `series` does not
    hold. With neither of them errors are not measured.
    """

    series: Metric
    class_: Label | None = Field(default=None, alias="class")
    errors: tuple[str, ...] = ()
    failed: Metric | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.class_ is None) != (not self.errors):
            raise ValueError("class and errors go together")
        if self.class_ is not None and self.failed is not None:
            raise ValueError("errors are read by class, or by failed: one of them")
        for pattern in self.errors:
            re.compile(pattern)
        return self

    @property
    def counts_errors(self) -> bool:
        """Whether failing requests are counted."""
        return self.class_ is not None or self.failed is not None

    def bad(self, class_: str) -> bool:
        """Whether requests of this class are errors."""
        return any(re.fullmatch(pattern, class_) for pattern in self.errors) or (
            self.failed is not None and class_ == self.failed
        )


class Latency(Series):
    """A histogram and the unit of its edges; `count` alone, without a bucket, is only a mean.

    `also_slow`: a counter of requests that were too slow for the histogram.
    """

    bucket: Metric | None = None
    mean: Metric | None = None
    unit: Literal["s", "ms", "us"]
    also_slow: Metric | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.bucket is None) == (self.mean is None):
            raise ValueError("give bucket, or mean: one of them")
        return self

    @property
    def series(self) -> str:
        """The metric that must be there."""
        return self.bucket or self.mean or ""

    def edge(self, seconds: float) -> float:
        """Seconds in the unit of the edges."""
        return round(seconds * _UNITS[self.unit], 9)

    def seconds(self, edge: float) -> float:
        """An edge in seconds."""
        return edge / _UNITS[self.unit]


class Preset(Model):
    """The series of one kind of gateway, or of one kind of model server.

    `tested`: against which version, and how. `arm`: how a gateway names a revision. `pod`: how a
    server's series name a pod. Lists are variants in order of preference.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]
    tested: Annotated[str, Field(min_length=1, max_length=256)]
    arm: ArmName | None = None
    pod: Annotated[tuple[PodLabels, ...], BeforeValidator(_listed)] = ()
    requests: Annotated[tuple[Requests, ...], BeforeValidator(_listed), Field(min_length=1)]
    latency: Annotated[tuple[Latency, ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if (self.arm is None) == (not self.pod):
            raise ValueError("give arm (a gateway) or pod (a server): one of them")
        for one in self.arm.is_ if self.arm else ():
            unknown = set(re.findall(r"\{(\w+)\}", one)) - {"namespace", "service", "port"}
            if unknown:
                raise ValueError(f"arm.is knows no {{{min(unknown)}}}")
        return self

    @property
    def per_pod(self) -> bool:
        """Whether the series are a server's own, pod by pod."""
        return bool(self.pod)

    def arm_names(self, namespace: str, service: str, port: int) -> tuple[str, ...]:
        """What one revision's backend may be called in these series, best first."""
        if self.arm is None:
            return (f"{namespace}/{service}",)
        return self.arm.names(namespace, service, port)


def load_preset(name: str = "contour-envoy") -> Preset:
    """A preset of the package. ValueError, one sentence, if there is none or it is malformed."""
    if not re.match(r"^[a-z0-9-]{1,63}$", name):
        raise ValueError(f"{name[:63]!r} is no name of a preset")
    path = files("merit.prometheus") / "presets" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(preset_names())}")
    return parse_preset(path.read_text(encoding="utf-8"))


def find_preset(name: str, own: Mapping[str, Mapping[str, Any]]) -> Preset:
    """One of the operator's `own` presets, else of the package. ValueError, one sentence."""
    return read_preset({"name": name, **own[name]}) if name in own else load_preset(name)


def preset_names() -> tuple[str, ...]:
    """The presets of the package."""
    found = (files("merit.prometheus") / "presets").iterdir()
    return tuple(sorted(p.name.removesuffix(".yaml") for p in found if p.name.endswith(".yaml")))


def parse_preset(text: str) -> Preset:
    """A preset from YAML. ValueError, one sentence."""
    try:
        return read_preset(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(f"preset: {str(error).splitlines()[0]}") from error


def read_preset(raw: Any) -> Preset:
    """A preset from its plain form. ValueError, one sentence."""
    try:
        return Preset.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(f"preset: {where}: {first['msg']}") from error
    except re.error as error:
        raise ValueError(f"preset: {error}") from error


def matcher(labels: Mapping[str, str]) -> str:
    """`a="b",c="d"` with values quoted."""
    return ",".join(f'{name}="{quoted(value)}"' for name, value in sorted(labels.items()))


def quoted(text: str) -> str:
    """For use between double quotes of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def joined(parts: Iterable[str]) -> str:
    """Matchers as one selector's inside; empty ones are left out."""
    return ",".join(part for part in parts if part)
