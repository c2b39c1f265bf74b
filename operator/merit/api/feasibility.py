"""`spec.feasibility`: gate 2, the load that the pods must hold before any user meets them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from merit.api.base import Model
from merit.api.fields import HOST_PATTERN, Headroom, Label, StageDuration

HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
HEADER_VALUE = r"^[ -~]*$"


class BodiesFrom(Model):
    """Where the bodies of the requests come from."""

    config_map: Annotated[str, StringConstraints(pattern=HOST_PATTERN, max_length=253)] = Field(
        description="A ConfigMap of the same namespace; each of its keys is one body, and they are "
        "sent in turn. Required."
    )


class Header(Model):
    """A header of every request."""

    name: Annotated[str, StringConstraints(pattern=HEADER_NAME, max_length=64)] = Field(
        description="Its name, as Authorization. Required."
    )
    value: Annotated[str, StringConstraints(pattern=HEADER_VALUE, max_length=1024)] = Field(
        description="Its value. Never a secret: it stands in the object. Required."
    )


class LoadRequest(Model):
    """What is sent."""

    method: Literal["GET", "POST", "PUT"] | None = Field(
        default=None, description="Default: POST with bodiesFrom, else GET."
    )
    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=1024)] = Field(
        description="Path, and query if any, as /predict. Required."
    )
    headers: tuple[Header, ...] | None = Field(
        default=None,
        max_length=16,
        description="Default: Content-Type: application/json where there are bodies.",
    )
    bodies_from: BodiesFrom | None = Field(default=None, description="Default: no body.")


class Load(Model):
    """The load test: constraints.scale.rps with headroom, at the candidate's own pods."""

    duration: StageDuration | None = Field(
        default=None,
        description="How long a stage lasts at least; longer where it needs more requests for a "
        "verdict. At most 5m. Default: 60s.",
    )
    headroom: Headroom | None = Field(
        default=None, description="How much more than constraints.scale.rps. Default: 20%."
    )
    request: LoadRequest = Field(description="What is sent. Required.")
    own_counts: Literal["Compare", "Ignore"] | None = Field(
        default=None,
        description="Compare: if the metrics source has a preset for servers, what was sent must "
        "agree with what the pods count, or there is no verdict. Ignore: they are not asked. "
        "Default: Compare.",
    )


class Feasibility(Model):
    """Gate 2: can it be served within the constraints?"""

    load: Load | None = Field(
        default=None,
        description="A load test before any user's request. Default: none, so that only cost and "
        "replicas are checked.",
    )
    prices: Label | None = Field(
        default=None,
        description="The price book of the operator's configuration. Default: default.",
    )
