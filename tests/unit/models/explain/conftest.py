"""A tiny random BERT with heads of every kind, on the shipped vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import TOKENIZER, shipped_bundle
from models.explain import Subject
from models.tokens import encode, equal_length_batches, load_tokenizer

LABELS = {"sentiment": ("negative", "neutral", "positive"), "risk": ("fraud", "strike")}


@pytest.fixture(scope="session")
def tiny() -> Subject:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from models.encoder import MultiHead
    from models.labels import Head, HeadKind

    kinds = {"sentiment": HeadKind.SINGLE, "risk": HeadKind.MULTI}
    torch.manual_seed(1)
    tokenizer = load_tokenizer(shipped_bundle() / TOKENIZER, 24)
    config = transformers.BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.2,
    )
    heads = [Head(name, kinds[name], labels) for name, labels in LABELS.items()]
    network = MultiHead(transformers.BertModel(config, add_pooling_layer=False), heads).eval()

    def logits(texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        found = {
            head: np.empty((len(texts), len(labels)), dtype=np.float32)
            for head, labels in LABELS.items()
        }
        for rows, ids in equal_length_batches(encode(tokenizer, texts), 1_536):
            with torch.inference_mode():
                answers = network(torch.from_numpy(ids))
            for values, answer in zip(found.values(), answers, strict=True):
                values[rows] = answer.numpy()
        return found

    return Subject("tiny 1", LABELS, frozenset({"risk"}), tokenizer, logits, lambda: network)
