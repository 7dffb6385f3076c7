"""What a kind of source can be told beyond what all of them can."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """What its kind can be told: see [options of sources](#options-of-sources)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
