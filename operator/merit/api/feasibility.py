"""`spec.feasibility`: gate 2, the load test that pods must pass before they get traffic."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.fields import Headroom, Host, Label, Model, StageDuration

HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
HEADER_VALUE = r"^[ -~]*$"


class BodiesFrom(Model):
    """Where the bodies of the requests come from."""

    config_map: Host = Field(
        description="A ConfigMap of the same namespace. Each key holds one request body; they are "
        "sent in turn. Required."
    )


class Header(Model):
    """A header of every request."""

    name: Annotated[str, StringConstraints(pattern=HEADER_NAME, max_length=64)] = Field(
        description="Name of the header. Required."
    )
    value: Annotated[str, StringConstraints(pattern=HEADER_VALUE, max_length=1024)] = Field(
        description="Value of the header. Not for secrets: everybody who may read this object "
        "sees it. Required."
    )


class LoadRequest(Model):
    """The request that is sent."""

    method: Literal["GET", "POST", "PUT"] | None = Field(
        default=None, description="HTTP method. Default: POST with bodiesFrom, else GET."
    )
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=1024)] = Field(
        description="Path and query, as /predict. Required."
    )
    headers: tuple[Header, ...] | None = Field(
        default=None,
        max_length=16,
        description="Default: Content-Type: application/json where there are bodies.",
    )
    bodies_from: BodiesFrom | None = Field(
        default=None, description="Source of the request bodies. Default: no body."
    )


class Load(Model):
    """The load test: constraints.scale.rps plus headroom, sent to the candidate's pods."""

    duration: StageDuration | None = Field(
        default=None,
        description="How long a stage of the load test lasts at least; it lasts longer if a "
        "verdict needs more requests. At most 5m. Default: 60s.",
    )
    headroom: Headroom | None = Field(
        default=None, description="How much load is added to constraints.scale.rps. Default: 20%."
    )
    request: LoadRequest = Field(description="The request that is sent. Required.")
    own_counts: Literal["Compare", "Ignore"] | None = Field(
        default=None,
        description="Compare: if the metrics source has a preset for servers, the requests that "
        "were sent must agree with those that the pods counted, or there is no verdict. Ignore: "
        "the pods' own counts are not read. Default: Compare.",
    )


class Feasibility(Model):
    """Gate 2: can it be served within the constraints?"""

    load: Load | None = Field(
        default=None,
        description="A load test before the candidate gets traffic. Default: none; only cost and "
        "replicas are checked.",
    )
    prices: Label | None = Field(
        default=None,
        description="Name of a price book of the operator's configuration. Default: default.",
    )
