"""How every model of the API is read: camelCase outside, snake_case inside, closed, immutable."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A part of the resource. Unknown fields are errors; instances never change."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class Told(Model):
    """A part of status. Unknown fields are ignored: an older operator reads a newer status."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )
