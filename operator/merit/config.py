"""The operator's configuration: one YAML file, checked as strictly as a resource."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from merit.api.fields import Model
from merit.api.quantity import parse_decimal, parse_duration, parse_share
from merit.policy.state.prices import PriceBook
from merit.stats.drift import WINDOWS
from merit.stats.terms import Constants

Seconds = Annotated[float, BeforeValidator(parse_duration)]
Share = Annotated[float, BeforeValidator(parse_share)]
Amount = Annotated[Decimal, BeforeValidator(parse_decimal), Field(ge=0)]
_CONSTANTS = Constants()


class Watch(Model):
    """The namespaces to watch; an empty list means all of them."""

    namespaces: tuple[str, ...] = ()


class AlertmanagerServer(Model):
    """Access to an Alertmanager. Credentials are files, which are read again for each request."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    bearer_token_file: str = ""
    ca_file: str = ""
    headers: dict[str, str] = Field(default_factory=dict)

    def access(self) -> dict[str, Any]:
        """The keyword arguments of a client that say how to get access."""
        token, ca = self.bearer_token_file, self.ca_file
        return {"headers": self.headers, "ca_file": ca, "token_file": token}


class PrometheusServer(AlertmanagerServer):
    """Access to a Prometheus, in the same way."""

    timeout: Seconds = 5.0

    def access(self) -> dict[str, Any]:
        """The keyword arguments of a client that say how to get access."""
        return super().access() | {"timeout": self.timeout}


class Queries(Model):
    """The namespaces whose own queries a source accepts: none by default, as for untrusted text."""

    namespaces: tuple[str, ...] = ()


LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]


class Alerts(Model):
    """Where alerts are sent. Without an Alertmanager they are only conditions and Events."""

    alertmanager: AlertmanagerServer | None = None


class Source(Model):
    """A metrics source: a Prometheus, a preset, and the scrape targets to read (`matchers`).

    `server`, `server_matchers`: preset and targets of the model servers' own series, by pod.
    `namespaces`: those whose objects may use the source.
    """

    prometheus: PrometheusServer
    preset: str
    matchers: dict[LabelName, str] = Field(default_factory=dict)
    server: str = ""
    server_matchers: dict[LabelName, str] = Field(default_factory=dict)
    queries: Queries = Queries()
    namespaces: tuple[str, ...] = ("*",)

    def takes_queries_from(self, namespace: str) -> bool:
        """Whether objects of this namespace may use their own queries."""
        return "*" in self.queries.namespaces or namespace in self.queries.namespaces

    def may_be_used_in(self, namespace: str) -> bool:
        """Whether objects of this namespace may use this source."""
        return "*" in self.namespaces or namespace in self.namespaces


class Metrics(Model):
    """The sources by name, and the default one. `presets`: custom presets by name, as in docs."""

    default: str = ""
    presets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, Source] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _default_exists(self) -> Metrics:
        if self.default and self.default not in self.sources:
            raise ValueError(f"default names no source: {self.default!r} is not in sources")
        return self


def _alias(name: str) -> str:
    """camelCase in which abbreviations keep their capitals, as in Kubernetes."""
    kept = {"memory_gib_hour": "memoryGiBHour", "gateway_api": "gatewayAPI"}
    return kept.get(name, to_camel(name))


class Prices(Model):
    """A price book: what an hour of each resource costs."""

    model_config = ConfigDict(alias_generator=_alias)

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    cpu_hour: Amount
    memory_gib_hour: Amount
    resources: dict[str, Amount] = Field(default_factory=dict)

    def book(self) -> PriceBook:
        """The price book for cost calculations."""
        return PriceBook(**dict(self))


class Judgement(Model):
    """Constants of judgement that differ from their defaults."""

    tolerance: Share = _CONSTANTS.tolerance
    slack: Share = _CONSTANTS.slack
    patience: Seconds = _CONSTANTS.patience
    warmup: Seconds = _CONSTANTS.warmup
    promote_confidence: Share = _CONSTANTS.promote_confidence
    guard_mark: Annotated[float, Field(gt=1)] = _CONSTANTS.guard_mark
    scrape: Annotated[Seconds, Field(ge=1)] = _CONSTANTS.scrape


class Pods(Model):
    """What the operator allows in the pod templates of users."""

    host_access: bool = False


class Routes(Model):
    """What the operator allows in the routes of users.

    `extension_refs`: kinds of objects that a filter may refer to, as `group/kind`.
    """

    model_config = ConfigDict(alias_generator=_alias)

    extension_refs: tuple[Annotated[str, Field(pattern=r"^[-.a-z0-9]+/[A-Za-z0-9]+$")], ...] = ()


class Images(Model):
    """Images of Merit that run in namespaces of users.

    `report`: reads frameworks' files after an evaluation; empty for the environment's MERIT_IMAGE,
    which the chart sets to the operator's image. `tools`: the load generator; without it load tests
    wait.
    """

    report: Annotated[str, Field(max_length=512)] = ""
    tools: Annotated[str, Field(max_length=512)] = ""


class Tick(Model):
    """Seconds between two polls of a source: of candidates with traffic, and of live revisions."""

    fast: Annotated[Seconds, Field(ge=1, le=60)] = 5.0
    live: Annotated[Seconds, Field(ge=1, le=600)] = 15.0


class DriftTimes(Model):
    """The windows of drift, from short to long, and how often they are queried."""

    windows: Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=4)] = WINDOWS
    every: Annotated[Seconds, Field(ge=5, le=3600)] = 300.0


class Log(Model):
    """Level and format of the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Config(Model):
    """The whole configuration."""

    model_config = ConfigDict(alias_generator=_alias)

    watch: Watch = Watch()
    gateway_api: bool = True
    metrics: Metrics = Metrics()
    alerts: Alerts = Alerts()
    prices: dict[str, Prices] = Field(default_factory=dict)
    judgement: Judgement = Judgement()
    pods: Pods = Pods()
    routes: Routes = Routes()
    images: Images = Images()
    tick: Tick = Tick()
    drift: DriftTimes = DriftTimes()
    log: Log = Log()

    def with_report_image(self, image: str) -> Config:
        """The configuration with this report image, unless the file names one."""
        images = self.images.model_copy(update={"report": self.images.report or image})
        return self.model_copy(update={"images": images})

    def constants(self) -> Constants:
        """The constants of judgement, defaults included."""
        # Without counts by pod, less than the default of 45 s is not safe.
        unmeasured = max(_CONSTANTS.patience_unmeasured, self.judgement.patience)
        return Constants(**dict(self.judgement), patience_unmeasured=unmeasured)

    def price_book(self, name: str = "default") -> PriceBook | None:
        """The price book of that name, or None."""
        prices = self.prices.get(name)
        return prices.book() if prices is not None else None

    def source(self, namespace: str, name: str | None = None) -> tuple[str, Source] | None:
        """Name and source for an object of this namespace; None if it may use none."""
        chosen = name or self.metrics.default
        source = self.metrics.sources.get(chosen)
        if source is None or not source.may_be_used_in(namespace):
            return None
        return chosen, source


def load(path: Path | str) -> Config:
    """Read the configuration. Raises ValueError with one sentence that names the field."""
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
