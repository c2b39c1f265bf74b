"""`spec.monitoring`: what tells whether a model is still earning trust."""

from __future__ import annotations

from pydantic import Field

from merit.api.base import Model
from merit.api.fields import Label


class Monitoring(Model):
    """What tells whether it is still earning trust."""

    source: Label = Field(
        description="An entry of the operator's configuration. Default: the operator's own default."
    )
