"""A random BERT of two narrow layers, its tokenizer, and a bundle of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from models.adapters import adapted, of_adapter
from models.base import Base, resolve_base
from models.bundle import Bundle, hash_files, load_bundle, write_manifest
from models.compress.precision import graph_of
from models.encoder import MultiHead, build
from models.graph_weights import save_graph
from models.labels import Head, HeadKind
from models.text import NORMALISATION_VERSION

WORDS = (
    "profit",
    "rises",
    "falls",
    "bank",
    "cuts",
    "dividend",
    "oil",
    "deal",
    "##es",
    "##ing",
    "2008",
    "##08",
)
SPECIAL = ("[PAD]", *(f"[unused{i}]" for i in range(3)), "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TEXTS = ("profit rises", "bank cuts dividend", "oil falls 20", "deal", "bank falls, profit falls")
HEADS = (
    Head("topic", HeadKind.SINGLE, ("Earnings", "Energy | Oil", "Dividend", "Macro")),
    Head("sentiment", HeadKind.SINGLE, ("negative", "neutral", "positive")),
)


def tokenizer() -> Tokenizer:
    letters = (*ascii_lowercase, *digits, ",", ".")
    tokens = [*SPECIAL, *letters, *(f"##{c}" for c in letters), *WORDS]
    made = Tokenizer(
        models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]")
    )
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens([t for t in SPECIAL if "unused" not in t])
    ids = [(token, tokens.index(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ids)
    return made


def base(folder: Path, layers: int = 2) -> Base:
    torch.manual_seed(4)
    words = tokenizer()
    config = BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # far from linear, so that a mistake shows
    )
    encoder = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for weight in encoder.parameters():
            if weight.ndim == 1:  # biases and norms, else all alike
                weight.add_(torch.randn_like(weight) / 5)
    encoder.save_pretrained(folder)
    words.save(str(folder / "tokenizer.json"))
    return resolve_base(str(folder))


def model(start: Base) -> MultiHead:
    torch.manual_seed(5)
    return build(start, HEADS).eval()


def bundle(
    folder: Path,
    start: Base,
    name: str = "tiny",
    seed: int = 5,
    method: Mapping[str, Any] | None = None,
) -> Bundle:
    method = method or {"kind": "full"}
    trained = model(start)
    torch.manual_seed(seed)
    trained.encoder = adapted(trained.encoder, method)
    with torch.no_grad():
        for parameter_name, parameter in trained.encoder.named_parameters():
            if of_adapter(parameter_name):
                parameter.add_(torch.randn_like(parameter) / 5)
        for head in trained.heads.values():
            torch.nn.init.normal_(head.weight)  # type: ignore[arg-type]
    folder.mkdir(parents=True)
    save_graph(graph_of(trained, "float32", ()), trained, folder)
    (folder / "tokenizer.json").write_bytes((start.folder / "tokenizer.json").read_bytes())
    made = Bundle(
        folder=folder,
        name=name,
        version="1",
        heads=HEADS,
        languages=("en",),
        base={"name": start.name, "sha256": start.sha256},
        method=method,
        architecture=trained.architecture,
        embedding_space=None,
        marker=None,
        max_tokens=32,
        normalisation_version=NORMALISATION_VERSION,
        temperatures={"topic": 1.0, "sentiment": 1.5},
        thresholds={},
        precision={"openvino": "float32", "torch": "bfloat16"},
        files=hash_files(folder),
        metrics={"news": {"task": "topic", "int8": {"n": 5, "accuracy": 0.8, "macro_f1": 0.75}}},
        data=({"name": "news", "task": "topic", "sha256": "ab" * 32},),
    )
    write_manifest(made)
    return load_bundle(folder)
