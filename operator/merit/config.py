"""The operator's own configuration: one file, checked with the care given to a resource."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from merit.api.base import Model
from merit.api.quantity import parse_decimal, parse_duration, parse_share
from merit.evidence.constants import Constants
from merit.evidence.cost import PriceBook
from merit.evidence.drift import WINDOWS

Seconds = Annotated[float, BeforeValidator(parse_duration)]
Share = Annotated[float, BeforeValidator(parse_share)]
Amount = Annotated[Decimal, BeforeValidator(parse_decimal), Field(ge=0)]
_CONSTANTS = Constants()


class _Part(Model):
    """A part of the file: camelCase, closed, immutable."""


class Watch(_Part):
    """Which namespaces; none named means all of them."""

    namespaces: tuple[str, ...] = ()


class PrometheusServer(_Part):
    """How a Prometheus is reached. Credentials are files, which are read again when they change."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    bearer_token_file: str = ""
    ca_file: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: Seconds = 5.0


class Queries(_Part):
    """Whose own queries a source takes: none by default, as their author is not trusted."""

    namespaces: tuple[str, ...] = ()


LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]


class AlertmanagerServer(_Part):
    """How an Alertmanager is reached. Credentials are files, which are read again for each call."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    bearer_token_file: str = ""
    ca_file: str = ""
    headers: dict[str, str] = Field(default_factory=dict)


class Alerts(_Part):
    """Where alarms go. Without an Alertmanager they are in conditions and Events alone."""

    alertmanager: AlertmanagerServer | None = None


class Source(_Part):
    """Where measurements come from: a server, a preset, and which scrape targets may speak.

    `server`, `server_matchers`: the preset and targets of the model servers' own series, pod by
    pod. `namespaces`: whose objects may use it.
    """

    prometheus: PrometheusServer
    preset: str
    matchers: dict[LabelName, str] = Field(default_factory=dict)
    server: str = ""
    server_matchers: dict[LabelName, str] = Field(default_factory=dict)
    queries: Queries = Queries()
    namespaces: tuple[str, ...] = ("*",)

    def takes_queries_from(self, namespace: str) -> bool:
        """Whether objects of this namespace may send queries of their own."""
        return "*" in self.queries.namespaces or namespace in self.queries.namespaces

    def may_be_used_in(self, namespace: str) -> bool:
        """Whether objects of this namespace may name this source."""
        return "*" in self.namespaces or namespace in self.namespaces


class Metrics(_Part):
    """The sources by name, and the one that is meant where a resource names none.

    `presets`: of one's own, by name, in the words of the package's preset files.
    """

    default: str = ""
    presets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, Source] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> Metrics:
        if self.default and self.default not in self.sources:
            raise ValueError(f"default names no source: {self.default!r} is not in sources")
        return self


def _alias(name: str) -> str:
    """Abbreviations keep their capitals, as in Kubernetes' own words."""
    return {"memory_gib_hour": "memoryGiBHour", "gateway_api": "gatewayAPI"}.get(
        name, to_camel(name)
    )


class Prices(_Part):
    """What an hour of each resource costs."""

    model_config = ConfigDict(alias_generator=_alias)

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    cpu_hour: Amount
    memory_gib_hour: Amount
    resources: dict[str, Amount] = Field(default_factory=dict)

    def book(self) -> PriceBook:
        """As the evidence reads it."""
        return PriceBook(
            currency=self.currency,
            cpu_hour=self.cpu_hour,
            memory_gib_hour=self.memory_gib_hour,
            resources=self.resources,
        )


class Judgement(_Part):
    """The constants of judgement, where they shall differ."""

    tolerance: Share = _CONSTANTS.tolerance
    slack: Share = _CONSTANTS.slack
    patience: Seconds = _CONSTANTS.patience
    warmup: Seconds = _CONSTANTS.warmup
    promote_confidence: Share = _CONSTANTS.promote_confidence
    guard_mark: Annotated[float, Field(gt=1)] = _CONSTANTS.guard_mark
    scrape: Annotated[Seconds, Field(ge=1)] = _CONSTANTS.scrape


class Pods(_Part):
    """What the pods that it makes for others may do."""

    host_access: bool = False


class Images(_Part):
    """Images of Merit's own that run in pods of users.

    `report` reads frameworks' files after an evaluation. Empty: MERIT_IMAGE of the environment,
    which the chart sets to the operator's own. `tools` holds the load generator. Empty: load tests
    are held.
    """

    report: Annotated[str, Field(max_length=512)] = ""
    tools: Annotated[str, Field(max_length=512)] = ""


class Tick(_Part):
    """Seconds between two looks at the fleet: while a candidate is exposed, and otherwise."""

    fast: Annotated[Seconds, Field(ge=1, le=60)] = 5.0
    live: Annotated[Seconds, Field(ge=1, le=600)] = 15.0


class DriftTimes(_Part):
    """Windows of drift, from short to long, and how often they are read."""

    windows: Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=4)] = WINDOWS
    every: Annotated[Seconds, Field(ge=5, le=3600)] = 300.0


class Log(_Part):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Config(_Part):
    """The whole file."""

    model_config = ConfigDict(alias_generator=_alias)

    watch: Watch = Watch()
    gateway_api: bool = True
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    prices: dict[str, Prices] = Field(default_factory=dict)
    judgement: Judgement = Judgement()
    pods: Pods = Pods()
    images: Images = Images()
    tick: Tick = Tick()
    drift: DriftTimes = DriftTimes()
    log: Log = Log()

    def read_by(self, image: str) -> Config:
        """With this image for frameworks' files where the file names none."""
        if self.images.report:
            return self
        images = self.images.model_copy(update={"report": image})
        return self.model_copy(update={"images": images})

    def constants(self) -> Constants:
        """The constants of judgement in force."""
        judgement = self.judgement
        return Constants(
            tolerance=judgement.tolerance,
            slack=judgement.slack,
            patience=judgement.patience,
            # Without per-pod counts nothing less patient than the usual 45 s is safe.
            patience_unmeasured=max(_CONSTANTS.patience_unmeasured, judgement.patience),
            warmup=judgement.warmup,
            promote_confidence=judgement.promote_confidence,
            guard_mark=judgement.guard_mark,
            scrape=judgement.scrape,
        )

    def price_book(self, name: str = "default") -> PriceBook | None:
        """The price book of that name, or None."""
        found = self.prices.get(name)
        return found.book() if found is not None else None

    def source(self, namespace: str, name: str | None = None) -> tuple[str, Source] | None:
        """The source that an object of this namespace gets; None if it has none, or may not."""
        chosen = name or self.metrics.default
        found = self.metrics.sources.get(chosen)
        if found is None or not found.may_be_used_in(namespace):
            return None
        return chosen, found


def load(path: Path | str) -> Config:
    """The configuration in a YAML file. ValueError with one sentence that names the field."""
    try:
        raw: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ValueError(f"{path} must hold a mapping, as `watch: {{namespaces: []}}`.")
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ValueError(f"{path}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        return f"{field} is not a field of the configuration."
    if first["type"] == "missing":
        return f"{field} is required."
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message[:1].lower()}{message[1:]}."
