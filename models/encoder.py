"""The trainable model: one BERT encoder, mean pooling, a linear head per question (torch)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from models.adapters import LASTING, adapted, has_adapter, of_adapter
from models.base import Base
from models.bundle import WEIGHTS, Bundle
from models.compress.layers import drop_layers, kept_layers
from models.compress.vocabulary import trim_embeddings
from models.errors import BundleError, ModelError
from models.labels import EMBEDDING, Head, HeadKind
from models.pruned import whole
from models.weights import read_weights

ADAPTER_PREFIX = "adapter."
HEAD_PREFIX = "head."
ENCODER_PREFIX = "encoder."
EMBEDDING_PREFIX = "embedding."
# Of a configuration, what says where it came from and not what it is.
_PROVENANCE = ("architectures", "dtype", "transformers_version")
#: How the families call the dropout of their layers; the last two are DistilBERT's.
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")


@dataclass(frozen=True, slots=True)
class Features:
    """What heads look at: means of the last layer, ``(batch, width) float32`` each.

    ``text`` is over every token, ``marked`` over the markers of the company asked about (zeros where there
    is none).
    """

    text: Tensor
    marked: Tensor


class MultiHead(nn.Module):
    """Encoder with several heads over the mean of its last layer.

    Mean pooling over tokens as in Reimers and Gurevych 2019 (Sentence-BERT, section 3), which is
    how the default base was pretrained. A target head sees the mean over the markers as well.

    Parameters
    ----------
    encoder
        A transformers encoder.
    heads
        In the order of the outputs.
    dropout
        Before each head, in training only.
    marker
        Token id of `models.targets.MARKER`; needed by target heads.
    embedding
        Give a sentence embedding as well: a linear map of the mean, which starts as the mean itself.
    """

    def __init__(
        self,
        encoder: nn.Module,
        heads: Sequence[Head],
        dropout: float = 0.1,
        marker: int | None = None,
        embedding: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.kinds = {head.name: head.kind for head in heads}
        self.marker = marker
        if marker is None and HeadKind.TARGET in self.kinds.values():
            raise ValueError("a target head needs the marker's token id")
        self.width = int(encoder.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {
                head.name: nn.Linear(
                    self.width * (2 if head.kind is HeadKind.TARGET else 1), len(head.labels)
                )
                for head in heads
            }
        )
        self.embedding: nn.Linear | None = None
        if embedding:
            self.embedding = nn.Linear(self.width, self.width)
            nn.init.eye_(self.embedding.weight)
            nn.init.zeros_(self.embedding.bias)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` gives, in order."""
        return (*self.heads, EMBEDDING) if self.embedding is not None else tuple(self.heads)

    def features(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Read texts.

        Parameters
        ----------
        ids
            ``(batch, tokens) int64``.
        mask
            ``(batch, tokens)``, 1 for a token and 0 for padding; None when nothing is padded.
        """
        hidden = self._hidden(ids, mask)
        if mask is None:
            text = hidden.mean(dim=1)
        else:
            weights = mask.unsqueeze(-1).to(hidden.dtype)
            text = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        if self.marker is None:
            return Features(text.float(), torch.zeros_like(text, dtype=torch.float32))
        at = (ids == self.marker).unsqueeze(-1).to(hidden.dtype)
        marked = (hidden * at).sum(dim=1) / at.sum(dim=1).clamp(min=1)
        return Features(text.float(), marked.float())

    def _hidden(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._has_types:
            inputs["token_type_ids"] = torch.zeros_like(ids)
        last: Tensor = self.encoder(**inputs).last_hidden_state
        return last

    @property
    def architecture(self) -> dict[str, Any]:
        """The encoder's configuration, for a bundle to build it from."""
        found: dict[str, Any] = self.encoder.config.to_diff_dict()  # type: ignore[union-attr, operator]
        return {k: v for k, v in found.items() if k[0] != "_" and k not in _PROVENANCE}

    @property
    def _has_types(self) -> bool:
        return bool(getattr(self.encoder.config, "type_vocab_size", 0))

    def pooled(self, ids: Tensor, mask: Tensor | None = None, pooling: str = "mean") -> Tensor:
        """Last layer's ``mean`` over a text's tokens, or its first (``cls``), ``(batch, width) float32``."""
        if pooling == "cls":
            return self._hidden(ids, mask)[:, 0].float()
        return self.features(ids, mask).text

    def logits(self, head: str, features: Features) -> Tensor:
        """Logits of one head, ``(batch, labels)``."""
        seen = features.text
        if self.kinds[head] is HeadKind.TARGET:
            seen = torch.cat([features.text, features.marked], dim=1)
        logits: Tensor = self.heads[head](self.dropout(seen))
        return logits

    def embedded(self, features: Features) -> Tensor:
        """Sentence embeddings, ``(batch, width)``; their length means nothing."""
        if self.embedding is None:
            raise ValueError("this model gives no embedding")
        found: Tensor = self.embedding(features.text)
        return found

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Every one of `outputs`: logits ``(batch, labels)``, the embedding; see `features`."""
        features = self.features(ids, mask)
        found = tuple(self.logits(head, features) for head in self.heads)
        return found if self.embedding is None else (*found, self.embedded(features))


def build(
    base: Base,
    heads: Sequence[Head],
    *,
    dropout: float = 0.1,
    encoder_dropout: float | None = None,
    marker: int | None = None,
    embedding: bool = False,
    layers: int | None = None,
    tokens: Sequence[int] | None = None,
) -> MultiHead:
    """A model with the base's weights and fresh heads, in float32.

    Parameters
    ----------
    encoder_dropout
        Inside the encoder; None for the base's own.
    marker
        Token id for target heads; the embeddings grow where the base does not have it.
    embedding
        See `MultiHead`.
    layers
        So many lowest layers are kept; None for all.
    tokens
        Numbers of the tokens that are kept, ascending; None for all.
    """
    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    if encoder_dropout is not None:
        for name in _DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, encoder_dropout)
    encoder = AutoModel.from_pretrained(
        base.folder,
        config=config,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        **_without_pooler(config),
    )
    if layers is not None and layers < config.num_hidden_layers:
        drop_layers(encoder, kept_layers(config.num_hidden_layers, layers))
    if tokens is not None:
        trim_embeddings(encoder, tokens)
    if marker is not None and marker >= encoder.config.vocab_size:
        encoder.resize_token_embeddings(marker + 1)
    return MultiHead(encoder, heads, dropout, marker, embedding)


def _without_pooler(config: Any) -> dict[str, bool]:
    """The pooler over [CLS] is never read: leave it out, so that it is neither adapted nor saved."""
    pooler = config.model_type in ("bert", "roberta", "xlm-roberta", "camembert", "electra-base")
    return {"add_pooling_layer": False} if pooler else {}


def trained_state(model: MultiHead) -> dict[str, Tensor]:
    """What training changed: heads, and the adapter or every weight of the encoder."""
    state = {f"{HEAD_PREFIX}{k}": v for k, v in model.heads.state_dict().items()}
    if model.embedding is not None:
        state |= {f"{EMBEDDING_PREFIX}{k}": v for k, v in model.embedding.state_dict().items()}
    encoder = model.encoder.state_dict()
    if has_adapter(model.encoder):
        inner = {f"{ADAPTER_PREFIX}{k}": v for k, v in encoder.items() if of_adapter(k)}
    else:
        inner = {f"{ENCODER_PREFIX}{k}": v for k, v in encoder.items()}
    return {k: v.detach().contiguous().clone() for k, v in (state | inner).items()}


def load_trained(model: MultiHead, state: Mapping[str, Tensor]) -> None:
    """Put back what `trained_state` took out of a model of the same make."""

    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    model.heads.load_state_dict(part(HEAD_PREFIX))
    if model.embedding is not None:
        model.embedding.load_state_dict(part(EMBEDDING_PREFIX))
    if has_adapter(model.encoder):
        found = part(ADAPTER_PREFIX)
        wanted = {name for name in model.encoder.state_dict() if of_adapter(name)}
        if wanted != set(found):
            raise ModelError(
                f"the weights are of another adapter: {len(wanted ^ set(found))} names differ, such as "
                f"{sorted(wanted ^ set(found))[0]!r}"
            )
        model.encoder.load_state_dict(found, strict=False)
    else:
        model.encoder.load_state_dict(part(ENCODER_PREFIX))


def restore(bundle: Bundle) -> MultiHead:
    """The model of a bundle as its graph computes it, float32, in evaluation mode.

    Raises
    ------
    BundleError
        When weights and architecture do not belong together.
    """
    settings = dict(bundle.architecture)
    pruned = settings.pop("pruned_heads", None)
    try:
        state = read_weights(bundle.path(WEIGHTS))
        if pruned:
            state = whole(state, pruned, settings["hidden_size"], settings["num_attention_heads"])
        config = AutoConfig.for_model(**settings)
        encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch.float32, **_without_pooler(config)
        )
        if bundle.method["kind"] in LASTING:
            encoder = adapted(encoder, bundle.method)
        model = MultiHead(
            encoder,
            bundle.heads,
            marker=bundle.marker,
            embedding=bundle.embedding_space is not None,
        )
        model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BundleError(
            f"{bundle.path(WEIGHTS)}: not the weights of this bundle's architecture and heads: {error}; "
            "use the foreshock that wrote it, or train a bundle with `foreshock train`"
        ) from error
    return model.eval()


def merged(model: MultiHead) -> MultiHead:
    """Fold the adapter into the encoder, in place, where it can be, and switch dropout off."""
    if hasattr(model.encoder, "merge_and_unload"):
        model.encoder = model.encoder.merge_and_unload()  # type: ignore[operator]
    return model.eval()
