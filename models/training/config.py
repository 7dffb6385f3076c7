"""What a training run is told: a TOML file, checked key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.base import PACKAGED
from models.errors import ModelError
from models.labels import EMBEDDING, HeadKind
from models.tables import SEPARATOR

RECIPES = Path(__file__).with_name("recipes")
#: The recipe of the shipped bundle.
SHIPPED = RECIPES / "foreshock-en.toml"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeadConfig(_Section):
    """One head: what it answers, and how much of every step is its own."""

    kind: HeadKind = Field(
        HeadKind.SINGLE,
        description="single: one label; multi: any number; target: one, about a company in the text.",
    )
    labels: tuple[str, ...] | None = Field(
        None, description="In order; by default those of a head we know, else the file's, sorted."
    )
    batch: int = Field(
        32,
        ge=0,
        description="Rows per step; 0: none of its own, it learns from the texts it shares with other heads.",
    )
    weight: Positive = Field(1.0, description="Of its loss.")


class DataConfig(_Section):
    """One labelled set of one head: csv or jsonl with a ``split`` column."""

    head: str = Field(description="That it trains; a name under [heads].")
    file: str = Field(
        description="Absolute, or relative to the configuration, the working or the data folder."
    )
    text: str = Field("text", description="Column of the texts.")
    label: str | None = Field(None, description="Column of the labels; by default the head's name.")
    target: str | None = Field(None, description="Column of the company, for a target head.")
    where: dict[str, str] = Field(
        default_factory=dict, description="Only rows whose columns hold these values."
    )
    separator: Annotated[str, Field(min_length=1)] = Field(
        SEPARATOR, description="Between the labels of one row, for a head with several."
    )
    ignore_unknown: bool = Field(
        False,
        description="Leave out labels that the head does not have, instead of refusing the file.",
    )
    licence: str = Field("not stated", description="As its publisher states it, for the card.")
    sha256: str | None = Field(
        None, description="Hash that the file must have, as hex; by default any."
    )
    weight: Positive = Field(
        1.0, description="Of each row's label in the loss; less than 1 for labels no person gave."
    )
    augment: Share | None = Field(None, description="Instead of augment.share, for this set.")
    replay: bool = Field(False, description="Old rows: they get replay.share of each batch.")


class TrimConfig(_Section):
    """What of the base is kept: a smaller encoder from the start."""

    layers: Count | None = Field(
        None, description="So many lowest layers (Sajjad et al. 2020); by default all."
    )
    vocabulary: Count | None = Field(
        None,
        description="At most so many tokens: those of the training texts, then the lowest numbers; "
        "by default all.",
    )


class EmbeddingConfig(_Section):
    """A sentence embedding beside the heads, learnt from the untrained base's."""

    weight: float = Field(
        0.0,
        ge=0,
        description="Of its loss, one minus the cosine; 0: the bundle gives no embedding.",
    )
    pooling: Literal["mean", "cls"] = Field(
        "mean", description="How the base makes a sentence's embedding of its tokens'."
    )


class AdapterConfig(_Section):
    """What moves in the encoder."""

    kind: Literal[
        "full", "frozen", "lora", "dora", "adalora", "ia3", "bottleneck", "prefix", "prompt"
    ] = Field(
        "lora",
        description="full: every weight; frozen: the heads only; lora: a low-rank change of each "
        "linear layer (Hu et al. 2021); dora: direction and size apart (Liu et al. 2024); adalora: "
        "ranks move to where they matter (Zhang et al. 2023); ia3: scales of keys, values and "
        "feed-forward (Liu et al. 2022); these four fold into the weights. bottleneck: small networks "
        "after sub-layers (Houlsby et al. 2019); prefix: keys and values before each layer's own (Li "
        "and Liang 2021); prompt: vectors before the text (Lester et al. 2021); these three stay in "
        "the model and take a share of its speed.",
    )
    rank: Count = Field(32, description="Of lora, dora and adalora.")
    alpha: Count | None = Field(None, description="Scale times rank; by default twice the rank.")
    reduction: Count = Field(
        16, description="bottleneck: width of the encoder over that of the small network."
    )
    layout: Literal["pfeiffer", "houlsby"] = Field(
        "pfeiffer",
        description="bottleneck: after the feed-forward part (Pfeiffer et al. 2021), or after the "
        "attention as well (Houlsby et al. 2019).",
    )
    length: Annotated[int, Field(ge=1, le=512)] = Field(
        16, description="prefix, prompt: vectors; they take nothing of max_tokens."
    )
    freeze_embeddings: bool = Field(False, description="full: keep the embeddings as they are.")
    freeze_layers: int = Field(0, ge=0, description="full: keep so many lowest layers as they are.")


class FitConfig(_Section):
    """The loop."""

    lr: Positive = Field(1e-3, description="Peak learning rate of the encoder.")
    head_lr: Positive | None = Field(None, description="Peak rate of the heads; by default lr.")
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="full: each layer below the top learns so much slower (Howard and Ruder 2018).",
    )
    optimiser: Literal["adamw", "sgd", "adafactor"] = Field("adamw", description="What moves them.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="How the rate falls after the warm-up."
    )
    warmup: Share = Field(0.06, description="Share of all steps in which the rate rises.")
    weight_decay: float = Field(
        0.01, ge=0, description="Of matrices; biases and layer norms have none."
    )
    max_gradient: Positive = Field(1.0, description="Norm that gradients are clipped to.")
    epochs: Count = Field(5, description="Most passes over the longest head's rows.")
    patience: Count = Field(2, description="Epochs without a better validation figure that end it.")
    accumulate: Count = Field(1, description="Batches whose gradients make one step.")
    average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.995, description="Decay of the running average of the weights that is kept; 0: the last."
    )
    dropout: Share = Field(0.1, description="Before the heads.")
    encoder_dropout: Share | None = Field(
        None, description="Inside the encoder; by default the base's."
    )
    token_dropout: Share = Field(
        0.0,
        description="Share of tokens hidden behind [MASK] in training (Dai and Le 2015, section 4); "
        "the company asked about stays.",
    )
    label_smoothing: Share = Field(
        0.05, description="Szegedy et al. 2016, section 7; not of heads with several labels."
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced: a class counts by the square root of its rarity."
    )
    rdrop: float = Field(
        0.0, ge=0, description="Weight of the disagreement of two dropouts (Wu et al. 2021)."
    )
    fgm: float = Field(
        0.0, ge=0, description="Size of an adversarial step on the embeddings (Miyato et al. 2017)."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Of matrix products; weights and their gradients are float32. auto: bfloat16 where "
        "the processor has instructions for it, without which it is many times slower.",
    )
    gradient_checkpointing: bool = Field(False, description="Less memory, a third more time.")
    parallel: Literal["ddp", "fsdp"] = Field(
        "ddp",
        description="Under torchrun. ddp: a process holds the whole model; fsdp: a part (Zhao et al. 2023).",
    )
    seed: int = Field(13, description="Of fresh weights, row order and dropout.")


class DistilConfig(_Section):
    """Learning from other bundles (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = Field((), description="Folders of bundles.")
    weight: Share = Field(0.5, description="Share of the loss that follows them.")
    temperature: Positive = Field(2.0, description="Softens teachers and student alike.")


class AugmentConfig(_Section):
    """Training rows read in another form, a new draw every epoch, under the label they have.

    Validation and test splits stay as they are, no row becomes a text of theirs, and the company a target
    row asks about stays in the text. Teachers are asked about the changed text.
    """

    share: Share = Field(0.0, description="Of a set's rows in each epoch; 0 for none.")
    kinds: tuple[Literal["entities", "numbers", "synonyms", "back_translation"], ...] = Field(
        ("entities", "numbers", "synonyms"),
        description="Applied one after the other; see `models.dataset.augment`.",
    )
    heads: tuple[str, ...] = Field((), description="Only sets of these heads; by default all.")
    companies: str | None = Field(
        None, description="YAML of companies by sector to swap; by default the built-in list."
    )
    synonyms: str | None = Field(
        None, description="YAML list of groups of words; by default the built-in list."
    )
    away: str | None = Field(
        None, description="back_translation: folder of a model into another language."
    )
    back: str | None = Field(None, description="back_translation: folder of the model back.")


class ReplayConfig(_Section):
    """Old rows among the new, against forgetting (experience replay: Chaudhry et al. 2019)."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.25,
        description="Of each batch of a head with old rows; a head with no others gets that share of its "
        "batch.",
    )
    bundle: str | None = Field(
        None,
        description="Folder of a bundle whose own training sets are old rows, besides [[data]] entries with "
        "replay = true.",
    )


class RememberConfig(_Section):
    """Answers of the model before, as a penalty against forgetting (Li and Hoiem 2016, section 3)."""

    weight: float = Field(0.0, ge=0, description="Of the distance to its answers; 0 for none.")
    bundle: str | None = Field(None, description="Folder of its bundle; by default start.")
    temperature: Positive = Field(2.0, description="Softens its answers and ours alike.")


class FewShotConfig(_Section):
    """Few labelled rows (SetFit: Tunstall et al. 2022): pairs of them teach the encoder, then the heads.

    The encoder learns from the pairs at fit.lr and is frozen when the heads are trained.
    """

    shots: int = Field(
        0, ge=0, description="Rows of each label drawn from every train split; 0: this is off."
    )
    rounds: Count = Field(20, description="Pairs of equal, and of different, labels for each row.")
    batch: Count = Field(16, description="Pairs per step.")


class CalibrationConfig(_Section):
    """What is fitted on the validation splits once the model stands."""

    precision: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.9, description="Share of right answers at which a head's threshold is set."
    )


class TrainConfig(_Section):
    """A training run."""

    name: str = Field("foreshock-en", description="Of the bundle.")
    version: str = Field("1", description="Of the bundle.")
    languages: tuple[str, ...] = Field(("en",), description="ISO 639-1 codes the model will read.")
    base: str = Field(PACKAGED, description="Package, local folder or hub name of the encoder.")
    start: str | None = Field(
        None,
        description="Folder of a bundle to go on from, instead of base: its encoder, and its heads whose "
        "names and labels agree.",
    )
    max_tokens: Annotated[int, Field(ge=8, le=512)] = Field(
        128, description="Longer texts are cut, special tokens included."
    )
    trim: TrimConfig = TrimConfig()
    heads: dict[str, HeadConfig]
    embedding: EmbeddingConfig = EmbeddingConfig()
    data: tuple[DataConfig, ...]
    adapter: AdapterConfig = AdapterConfig()
    fit: FitConfig = FitConfig()
    distil: DistilConfig = DistilConfig()
    augment: AugmentConfig = AugmentConfig()
    replay: ReplayConfig = ReplayConfig()
    remember: RememberConfig = RememberConfig()
    leaks: Literal["refuse", "drop", "warn"] = Field(
        "refuse",
        description="When a training text stands in a validation or test split of its head: do not start, "
        "train without the row, or train nevertheless.",
    )
    few_shot: FewShotConfig = FewShotConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    baseline: bool = Field(True, description="Measure the frozen base as well.")
    robustness: int = Field(
        1000,
        ge=0,
        description="Test texts of each head that are written otherwise (typos, case, synonyms, names) to "
        "see which answers change; 0: the card does not say.",
    )
    track: Literal["tensorboard", "wandb", "mlflow", "none"] = Field(
        "tensorboard",
        description="Where to follow the run; tensorboard writes beside the checkpoints.",
    )


def load_config(path: Path, changes: Sequence[str] = ()) -> TrainConfig:
    """Read a recipe.

    Parameters
    ----------
    path
        TOML.
    changes
        ``key=value`` with a dotted key and a TOML value (a bare word is a string), such as
        ``fit.epochs=3``; they win over the file.

    Raises
    ------
    ModelError
        When the file cannot be read, or a key or value is wrong; names them.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; name a recipe with --config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not TOML: {error}") from error
    return make_config(table, str(path), changes)


def make_config(table: dict[str, Any], origin: str, changes: Sequence[str] = ()) -> TrainConfig:
    """Check a recipe that is a mapping already; `origin` names it in errors. See `load_config`."""
    for change in changes:
        _apply(table, change)
    try:
        config = TrainConfig.model_validate(table)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()]
        raise ModelError(f"{origin}: " + "; ".join(lines)) from error
    for number, entry in enumerate(config.data):
        if entry.head not in config.heads:
            raise ModelError(f"{origin}: data.{number}.head: no head {entry.head!r} in [heads]")
        if (config.heads[entry.head].kind is HeadKind.TARGET) != (entry.target is not None):
            raise ModelError(
                f"{origin}: data.{number}.target: a target head, and no other, needs the column "
                "of the company"
            )
    if all(head.batch == 0 for head in config.heads.values()):
        raise ModelError(
            f"{origin}: heads: every batch is 0; one head at least needs rows per step"
        )
    for name, head in config.heads.items():
        if head.batch == 0 and head.kind is HeadKind.TARGET:
            raise ModelError(
                f"{origin}: heads.{name}.batch: a target head shares no text with others: give it rows"
            )
    if EMBEDDING in config.heads:
        raise ModelError(
            f"{origin}: heads.{EMBEDDING}: the name of another output; call it otherwise"
        )
    _check_sections(config, origin)
    return config


def _check_sections(config: TrainConfig, origin: str) -> None:
    """What one key asks of another."""
    if config.start is not None and "base" in config.model_fields_set:
        raise ModelError(f"{origin}: start: a run goes on from a bundle or from a base, not both")
    if config.remember.weight and not (config.remember.bundle or config.start):
        raise ModelError(f"{origin}: remember.bundle: name the model before, here or as start")
    if ("back_translation" in config.augment.kinds) != bool(
        config.augment.away and config.augment.back
    ):
        raise ModelError(
            f"{origin}: augment.away, augment.back: back_translation, and nothing else, needs both"
        )
    for head in config.augment.heads:
        if head not in config.heads:
            raise ModelError(f"{origin}: augment.heads: no head {head!r} in [heads]")
    if all(entry.replay for entry in config.data):
        raise ModelError(f"{origin}: data: nothing to learn, every set is replay")
    for head in config.heads:
        kept = config.remember.weight or config.replay.bundle
        if not kept and all(entry.head != head for entry in config.data):
            raise ModelError(
                f"{origin}: heads.{head}: no [[data]] entry trains it (a head of the model before needs "
                "none with remember.weight or replay.bundle)"
            )
    if config.few_shot.shots:
        _check_few_shot(config, origin)


def _check_few_shot(config: TrainConfig, origin: str) -> None:
    for name, head in config.heads.items():
        if head.batch == 0:
            raise ModelError(f"{origin}: heads.{name}.batch: few-shot training needs rows per step")
        if head.kind is not HeadKind.SINGLE:
            raise ModelError(
                f"{origin}: heads.{name}.kind: few-shot pairs need heads that give one label of the "
                f"text, not {head.kind.value!r}; leave it out or set few_shot.shots to 0"
            )
    if config.adapter.kind in ("frozen", "adalora"):
        raise ModelError(
            f"{origin}: adapter.kind: few-shot pairs teach the encoder, which {config.adapter.kind!r} "
            "does not let them; take full, lora, dora or ia3"
        )


def _apply(table: dict[str, Any], change: str) -> None:
    key, sign, text = change.partition("=")
    if not sign or not key.strip():
        raise ModelError(f"--set {change!r}: expected KEY=VALUE, such as fit.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *path, last = key.strip().split(".")
    for name in path:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ModelError(f"--set {change!r}: {name!r} is not a section")
    table[last] = value
