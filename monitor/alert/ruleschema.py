"""The schema of a rules file: what may be written, and what each key means.

Thresholds that a rule leaves out are those of the settings, `[story]` and `[surge]`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitor.domain import Relevance
from monitor.entities.relations import RelationKind

Names = tuple[str, ...]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Severity = Annotated[int, Field(ge=1, le=5)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Which(Strict):
    """Companies of the watchlist. Of several keys all have to fit, of the names of one key any."""

    companies: Names = Field((), description="Names, aliases or ids of the watchlist.")
    groups: Names = Field((), description="Lists of the desk.")
    sectors: Names = Field((), description="Sectors of the watchlist.")
    countries: Names = Field((), description="Countries of the watchlist.")


class StoryExclude(Which):
    """What a story rule leaves out: what fits any of these keys."""

    events: Names = Field((), description="Risk events.")
    families: Names = Field((), description="Families of risk events.")
    publishers: Names = Field((), description="Publishers whose items do not count.")


class SurgeWhich(Which):
    """Companies, and topics, that a surge rule looks at or leaves out."""

    topics: Names = Field((), description="News topics.")


class StoryThresholds(Strict):
    """What it takes; what is left out is as `[story]` says. Also what `for_groups` may change."""

    min_severity: Severity | None = Field(None, description="Least severity of an event.")
    severe: Severity | None = Field(
        None, description="From here on the model must contradict to stop it."
    )
    agreement: float | None = Field(
        None, ge=-1, le=1, description="Below `severe`: the mean score must be at most this."
    )
    contradiction: float | None = Field(
        None, ge=-1, le=1, description="From `severe` on: a score above this stops it."
    )
    model_confidence: float | None = Field(
        None, ge=0, le=1, description="Least probability of an event that only the model read."
    )
    min_confidence: float = Field(
        0.0, ge=0, le=1, description="Least precision of the risk rule that read the event."
    )
    least_relevance: Relevance | None = Field(
        None, description="How much the item must be about the company; by default anything goes."
    )
    publishers: int = Field(
        1, ge=1, description="Independent publishers who must report it before it fires."
    )


class StoryCommon(StoryThresholds):
    name: Name = Field(description="Unique; shown in the alert.")
    description: str = Field(description="One sentence for people.")
    events: Names = Field((), description="Only these risk events.")
    families: Names = Field((), description="Only events of these families, and those of `events`.")
    stages: tuple[Literal["confirmed", "amended", "rumour"], ...] = Field(
        ("confirmed", "amended", "rumour"),
        min_length=1,
        description="Stages of a report that count; denials and withdrawals always do.",
    )
    only: Which = Field(Which(), description="Only these companies.")
    exclude: StoryExclude = Field(
        StoryExclude(), description="Not these companies, events, publishers."
    )
    quiet_hours: float | None = Field(
        None, gt=0, description="Hours without news that resolve an alert."
    )
    cooldown_hours: float | None = Field(
        None, ge=0, description="Hours after that before it may fire again."
    )


class Story(StoryCommon):
    """A watched company, a risk event, a tone that does not contradict it."""

    kind: Literal["story"] = Field(description="What kind of rule it is.")
    for_groups: dict[str, StoryThresholds] = Field(
        {},
        description="Other thresholds for companies of a group; of several groups the first counts.",
    )


class Exposure(StoryCommon):
    """A story on one company, told of those that the relations say depend on it.

    `events` to `exclude` say which stories count; the companies that are told of are `told`.
    """

    kind: Literal["exposure"] = Field(description="What kind of rule it is.")
    relations: tuple[RelationKind, ...] = Field(
        tuple(RelationKind),
        min_length=1,
        description="What the company of the story is to the other one.",
    )
    told: Which = Field(Which(), description="Only companies that depend on it and are these.")
    lessen: int = Field(1, ge=0, le=4, description="Taken off the severity of the story.")


class SurgeThresholds(Strict):
    """What it takes; what is left out is as `[surge]` says. Also what `for_groups` may change."""

    min_negative: int | None = Field(
        None, ge=1, description="Measure `negative`: least negative items in the window."
    )
    negative_z: float | None = Field(
        None, gt=0, description="Measure `negative`: least z of the negative items."
    )
    share_z: float | None = Field(
        None, ge=0, description="Measures `negative` and `share`: least z of the negative share."
    )
    min_items: int = Field(
        20, ge=1, description="Measures `share` and `volume`: least items in the window."
    )
    volume_z: float = Field(4.5, gt=0, description="Measure `volume`: least z of the items.")
    hold_minutes: int = Field(
        0, ge=0, description="Minutes that it must hold without a break before it fires."
    )


class Surge(SurgeThresholds):
    """The news of a company or topic leaves its own baseline."""

    name: Name = Field(description="Unique; shown in the alert.")
    kind: Literal["surge"] = Field(description="What kind of rule it is.")
    description: str = Field(description="One sentence for people.")
    measure: Literal["negative", "share", "volume"] = Field(
        "negative",
        description="`negative` items and their share; their `share` alone; `volume`, whatever the tone.",
    )
    dimensions: tuple[Literal["company", "topic"], ...] | None = Field(
        None, min_length=1, description="What is looked at."
    )
    windows_minutes: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, min_length=1, description="Widths of the trailing windows."
    )
    warmup_days: float | None = Field(None, ge=0, description="Days of stream before it decides.")
    history_days: float | None = Field(None, gt=0, description="Days the baseline looks back.")
    only: SurgeWhich = Field(SurgeWhich(), description="Only these companies, only these topics.")
    exclude: SurgeWhich = Field(SurgeWhich(), description="Not these companies and topics.")
    quiet_hours: float | None = Field(
        None, gt=0, description="Hours without surge that resolve an alert."
    )
    cooldown_hours: float | None = Field(
        None, ge=0, description="Hours after that before it may fire again."
    )
    for_groups: dict[str, SurgeThresholds] = Field(
        {},
        description="Other thresholds for companies of a group; of several groups the first counts.",
    )


class Absence(Strict):
    """A source, a publisher or the whole pipeline is silent for too long; over with the next item."""

    name: Name = Field(description="Unique; shown in the alert.")
    kind: Literal["absence"] = Field(description="What kind of rule it is.")
    description: str = Field(description="One sentence for people.")
    of: Literal["source", "publisher", "pipeline"] = Field("source", description="Whose silence.")
    names: Names = Field(
        (),
        description="Sources or publishers; by default all. One named here may be silent at once.",
    )
    exclude: Names = Field((), description="Sources or publishers that may be silent.")
    silent_hours: float | None = Field(
        None, gt=0, description="How long is too long; by default it is learned."
    )
    times_usual: float = Field(
        2.0,
        ge=1,
        description="Learned: so many times the silence that is reached about once a week.",
    )
    least_hours: float = Field(1.0, ge=0, description="Learned: never less than this.")
    min_items: int = Field(
        50, ge=2, description="Learned: ten-minute spans with items it takes to know."
    )
    warmup_days: float = Field(7.0, ge=0, description="Learned: days of items it takes to know.")
    history_days: float = Field(28.0, gt=0, description="Days that are looked back.")
    severity: Severity = Field(3, description="Severity of the alert.")

    @model_validator(mode="after")
    def _is_bounded(self) -> Absence:
        if self.of == "publisher" and self.silent_hours is not None and not self.names:
            raise ValueError(
                "`silent_hours` of publishers needs `names`: most publishers write now and then; "
                "without it the limit is learned for each"
            )
        if self.of == "pipeline" and (self.names or self.exclude):
            raise ValueError(
                "`names` and `exclude` are of sources or publishers, not of the pipeline"
            )
        return self


class Compound(Strict):
    """Alerts of other rules on one company or topic, put together."""

    name: Name = Field(description="Unique; shown in the alert.")
    kind: Literal["compound"] = Field(description="What kind of rule it is.")
    description: str = Field(description="One sentence for people; the title of the alert.")
    all: Names = Field((), description="Rules that all have to have fired.")
    any: Names = Field((), description="Rules of which one has to have fired.")
    none: Names = Field((), description="Rules that must not have fired.")
    within_hours: float = Field(24.0, gt=0, description="How far apart they may have fired.")
    severity: Severity = Field(4, description="Severity of the alert.")
    quiet_hours: float = Field(24.0, gt=0, description="Hours after which the alert is over.")
    cooldown_hours: float = Field(
        24.0, ge=0, description="Hours after that before it may fire again."
    )

    @model_validator(mode="after")
    def _has_parts(self) -> Compound:
        if not self.all and not self.any:
            raise ValueError("name rules under `all` or `any`")
        return self


KINDS: dict[str, type[Story | Surge | Absence | Compound | Exposure]] = {
    "story": Story,
    "surge": Surge,
    "absence": Absence,
    "compound": Compound,
    "exposure": Exposure,
}


class Document(Strict):
    """A rules file."""

    rules: tuple[
        Annotated[Story | Surge | Absence | Compound | Exposure, Field(discriminator="kind")], ...
    ] = Field((), description="The rules.")
