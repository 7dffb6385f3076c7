"""A random encoder of each family, with a tokenizer of the kind its family has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    PretrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

TEXTS = (
    "Acme beats Orion in court",
    "Zephyr reports quarterly profit of 12",
    "Nimbus declares quarterly dividend of 7",
    "Orion is fined and probed in Paris",
    "crude oil barrels pumped by Acme plunge",
)
SIZES: dict[str, Any] = {"vocab_size": 0, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64}  # fmt: skip


def save(family: str, folder: Path, *, marker: bool = False) -> Path:
    """Write a base of a family; `marker` gives a BERT vocabulary its free tokens."""
    torch.manual_seed(7)
    words = _wordpiece(marker) if family in ("bert", "distilbert") else _TOKENIZERS[family]()
    size = words.get_vocab_size()
    config = config_of(family, size)
    AutoModel.from_config(config).save_pretrained(folder)  # type: ignore[no-untyped-call]
    words.save(str(folder / "tokenizer.json"))
    return folder


def config_of(family: str, vocabulary: int, layers: int = 2) -> PretrainedConfig:
    sizes = SIZES | {"vocab_size": vocabulary, "num_hidden_layers": layers}
    if family == "bert":
        return BertConfig(**sizes, max_position_embeddings=40)
    if family == "distilbert":
        return DistilBertConfig(
            vocab_size=vocabulary,
            dim=32,
            n_layers=layers,
            n_heads=2,
            hidden_dim=64,
            max_position_embeddings=40,
        )
    make = RobertaConfig if family == "roberta" else XLMRobertaConfig
    # As published: positions begin behind the padding token's number, and there is one type.
    return make(**sizes, max_position_embeddings=42, type_vocab_size=1, pad_token_id=1)


def _wordpiece(marker: bool) -> Tokenizer:
    free = ["[unused1]"] if marker else []
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=150, special_tokens=["[PAD]", *free, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    )
    made.train_from_iterator(TEXTS, trainer)
    ids = [(token, made.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ids)
    return made


def _bytes() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator(TEXTS, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return made


def _unigram() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        unk_token="<unk>",
    )
    made.train_from_iterator(TEXTS, trainer)
    ids = [("<s>", 0), ("</s>", 2)]
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ids)
    return made


_TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {"roberta": _bytes, "xlm-roberta": _unigram}
