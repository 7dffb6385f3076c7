"""A BERT encoder out of an ONNX export: the same function, or a reason why not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is in foreshock[train]")

import onnx
import torch
from onnx import numpy_helper
from transformers import BertModel
from typer.testing import CliRunner

from models.base import resolve_base
from models.errors import BundleError
from models.onnx_base import TOLERANCE, import_onnx
from monitor.cli.bundles import models_app
from tests.unit.models.compress import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


class Encoder(torch.nn.Module):
    """What sentence encoders are exported as."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        hidden: torch.Tensor = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        return hidden


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder as ONNX, its tokenizer beside it."""
    folder = tmp_path_factory.mktemp("onnx")
    start = tiny.base(folder / "tiny-bert")
    bert = BertModel.from_pretrained(
        start.folder, add_pooling_layer=False, attn_implementation="eager"
    )
    ids = torch.tensor([[5, 20, 30, 6], [5, 41, 9, 6]])
    sizes = {0: "batch", 1: "tokens"}
    path = folder / "tiny.onnx"
    torch.onnx.export(
        Encoder(bert).eval(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask", "token_type_ids"],
        output_names=["last_hidden_state"],
        # What published exports were made with: weights come out as onnx::MatMul_NUMBER.
        dynamo=False,
        dynamic_axes=dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), sizes),
    )
    (folder / "tiny-tokenizer.json").write_bytes((start.folder / "tokenizer.json").read_bytes())
    return path


def test_the_folder_computes_what_the_graph_computes(exported: Path, tmp_path: Path) -> None:
    found = import_onnx(exported, tmp_path / "base")
    assert (found.layers, found.heads, found.width) == (2, 4, 32)
    assert found.difference < TOLERANCE
    ids = torch.tensor([[5, 20, 30, 6]])
    first, again = (
        BertModel.from_pretrained(folder, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]
        for folder in (exported.parent / "tiny-bert", tmp_path / "base")
    )
    with torch.inference_mode():
        assert torch.allclose(first(ids).last_hidden_state, again(ids).last_hidden_state, atol=1e-5)
    assert resolve_base(str(tmp_path / "base")).name == "base"


def test_out_of_an_archive_from_the_command_line(exported: Path, tmp_path: Path) -> None:
    jar = tmp_path / "tiny.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.write(exported, "../../deep/tiny.onnx")
        archive.write(exported.parent / "tiny-tokenizer.json", "tiny-tokenizer.json")
        archive.writestr("META-INF/MANIFEST.MF", "")
    done = CliRunner().invoke(models_app, ["import", str(jar), "--out", str(tmp_path / "base")])
    assert done.exit_code == 0, done.output
    assert "2 layers, 4 heads, width 32" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["base", "tiny.jar"]


def _edited(exported: Path, folder: Path, edit: object) -> Path:
    graph = onnx.load(str(exported))
    edit(graph.graph)  # type: ignore[operator]
    onnx.save(graph, str(folder / "tiny.onnx"))
    words = exported.parent / "tiny-tokenizer.json"
    (folder / "tiny-tokenizer.json").write_bytes(words.read_bytes())
    return folder / "tiny.onnx"


def test_a_missing_tensor_is_named(exported: Path, tmp_path: Path) -> None:
    def rename(graph: object) -> None:
        for tensor in graph.initializer:  # type: ignore[attr-defined]
            if tensor.name.endswith("layer.1.output.dense.bias"):
                old, tensor.name = tensor.name, "lost"
                for node in graph.node:  # type: ignore[attr-defined]
                    node.input[:] = ["lost" if name == old else name for name in node.input]

    with pytest.raises(BundleError, match=r"lacks 2 .*encoder\.layer\.1\.output\.dense\.bias"):
        import_onnx(_edited(exported, tmp_path, rename), tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_another_function_is_refused_and_nothing_is_left(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"would differ from the graph by .*--heads 8"):
        import_onnx(exported, tmp_path / "base", heads=8)
    assert list(tmp_path.iterdir()) == []


def test_integer_weights_are_refused(exported: Path, tmp_path: Path) -> None:
    def quantise(graph: object) -> None:
        graph.node[0].op_type = "DynamicQuantizeLinear"  # type: ignore[attr-defined]

    with pytest.raises(BundleError, match="integer weights"):
        import_onnx(_edited(exported, tmp_path, quantise), tmp_path / "base")


def test_what_is_no_export_is_said(exported: Path, tmp_path: Path) -> None:
    broken = tmp_path / "x.onnx"
    broken.write_bytes(b"not a graph")
    words = exported.parent / "tiny-tokenizer.json"
    out = tmp_path / "base"
    with pytest.raises(BundleError, match="name the tokenizer"):
        import_onnx(broken, out)
    with pytest.raises(BundleError, match=r"x\.onnx"):
        import_onnx(broken, out, tokenizer=words)
    with pytest.raises(BundleError, match="no such file"):
        import_onnx(tmp_path / "gone.onnx", out)
    other = tmp_path / "x.jar"
    other.write_bytes(b"not a zip")
    with pytest.raises(BundleError, match=r"neither \.onnx nor"):
        import_onnx(other, out)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.onnx", "")
        archive.writestr("b.onnx", "")
    with pytest.raises(
        BundleError, match=r"expected one file named \*\.onnx, found a.onnx, b.onnx"
    ):
        import_onnx(other, out)
    with pytest.raises(BundleError, match="is there already"):
        import_onnx(exported, tmp_path)
    assert not out.exists()


def test_anothers_tokenizer_is_refused(exported: Path, tmp_path: Path) -> None:
    def shrink(graph: object) -> None:
        for tensor in graph.initializer:  # type: ignore[attr-defined]
            if tensor.name.endswith("word_embeddings.weight"):
                rows = numpy_helper.to_array(tensor)[:50]
                tensor.CopyFrom(numpy_helper.from_array(rows, tensor.name))

    with pytest.raises(BundleError, match="it is another's tokenizer"):
        import_onnx(_edited(exported, tmp_path, shrink), tmp_path / "base")
