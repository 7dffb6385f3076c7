"""``train``, ``evaluate`` and ``classify``: the model from the command line."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from models.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    from models.classifier import Classifier
    from models.fit import Epoch, Watch

Task = Literal["topic", "sentiment"]
Method = Literal["lora", "full"]
EngineName = Literal["auto", "openvino", "torch"]

_BundleOption = Annotated[
    Path | None,
    typer.Option("--model", help="Folder of a bundle; default: the one that comes with foreshock."),
]
_EngineOption = Annotated[
    EngineName,
    typer.Option(help="What computes: auto takes CUDA where it works, else OpenVINO on the CPU."),
]
_ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="CPU threads; without it, every core.")
]
_CHUNK_LINES = 256


def train(
    out: Annotated[Path, typer.Option(help="Folder the bundle is written to.")] = Path("bundle"),
    topic: Annotated[
        Path | None,
        typer.Option(help="csv or jsonl with columns split, topic, text; default: the data's own."),
    ] = None,
    sentiment: Annotated[
        Path | None,
        typer.Option(
            help="csv or jsonl with columns split, sentiment, text; default: the data's own."
        ),
    ] = None,
    headlines: Annotated[
        bool,
        typer.Option(
            help="Also train sentiment on the data folder's headlines (SEntFiN, one company each), "
            "when the sentiment file is the default one."
        ),
    ] = True,
    base: Annotated[
        str | None,
        typer.Option(
            help="Encoder to start from: a local folder or a hub name; default: all-MiniLM-L6-v2 "
            "from its package, without a network."
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="lora trains a small adapter, full every weight.")
    ] = "lora",
    rank: Annotated[int, typer.Option(min=1, help="Rank of the LoRA adapter.")] = 32,
    lr: Annotated[
        float | None,
        typer.Option(min=0.0, help="Peak learning rate; default 1e-3 for lora, 5e-5 for full."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Most epochs.")] = 5,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of each task per step.")] = 32,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a better validation macro-F1 that end it.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="Of weights, row order and dropout.")] = 13,
    bfloat16: Annotated[
        bool, typer.Option(help="Matrix products in bfloat16: faster where the CPU or GPU has it.")
    ] = True,
    name: Annotated[str, typer.Option(help="Name of the bundle.")] = "foreshock-en",
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    language: Annotated[
        list[str] | None,
        typer.Option(help="ISO 639-1 code the model reads; repeat for several. Default: en."),
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints; default: OUT.checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
    baseline: Annotated[
        bool, typer.Option(help="Measure the base before training as well, for the card.")
    ] = True,
) -> None:
    """Fine-tune the BERT base with a topic and a sentiment head, and write a bundle.

    Ends with the int8 graph, calibrated probabilities, a validation curve and MODEL_CARD.md with
    the figures of the test splits. Needs foreshock[train].
    """
    with _told():
        try:
            from models.base import PACKAGED
            from models.data import default_headlines
            from models.fit import FitConfig
            from models.train import TrainConfig
            from models.train import train as run
        except ImportError as error:
            raise MissingExtraError("training", "train", error.name or "torch") from error
        config = TrainConfig(
            out=out,
            work=work or out.with_name(out.name + ".checkpoints"),
            name=name,
            version=version,
            languages=tuple(language or ["en"]),
            base=base or PACKAGED,
            rank=rank if method == "lora" else None,
            topic=topic,
            sentiment=sentiment,
            headlines=default_headlines() if headlines and sentiment is None else None,
            fit=FitConfig(
                lr=lr if lr is not None else (1e-3 if method == "lora" else 5e-5),
                epochs=epochs,
                batch_size=batch_size,
                patience=patience,
                bfloat16=bfloat16,
                seed=seed,
            ),
            resume=resume,
            baseline=baseline,
            command=_command(sys.argv[1:]),
        )
        console = Console(stderr=True)
        with _bar(console) as bar:
            folder = run(config, _watch(console, bar))
        console.print(f"bundle written to {folder}; figures in {folder / 'MODEL_CARD.md'}")


def evaluate(
    file: Annotated[Path, typer.Argument(help="csv or jsonl with named columns, plain or gzip.")],
    task: Annotated[Task, typer.Option(help="Which head.")],
    text: Annotated[str, typer.Option(help="Column of the texts.")],
    label: Annotated[str, typer.Option(help="Column of the labels.")],
    split: Annotated[
        str | None, typer.Option(help="Only rows whose split column says so; default: every row.")
    ] = None,
    model: _BundleOption = None,
    engine: _EngineOption = "auto",
    threads: _ThreadsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Measure a model on a labelled file.

    Prints n, accuracy, macro_f1, weighted_f1, ece (expected calibration error, 15 bins of equal
    width, Guo et al. 2017), figures per class and the confusion matrix.
    """
    with _told():
        from models.classifier import Classifier
        from models.evaluate import evaluate_file
        from models.report import as_text

        classifier = Classifier.load(model, engine, threads)
        console = Console(stderr=True)
        with _bar(console) as bar:
            row = bar.add_task(f"reading {file.name}", total=None)

            def progress(done: int, total: int) -> None:
                bar.update(row, description=task, completed=done, total=total)

            report = evaluate_file(classifier, file, task, text, label, split, progress)
        typer.echo(json.dumps(report.as_json(), indent=2) if as_json else as_text(report))


def classify(
    model: _BundleOption = None,
    engine: _EngineOption = "auto",
    threads: _ThreadsOption = None,
    language: Annotated[
        str,
        typer.Option(help="ISO 639-1 code of every line, or auto to tell it from the text."),
    ] = "auto",
) -> None:
    """Read texts from standard input, one a line; write one JSON object a line.

    Fields: text, language, topic, probability (of the topic), sentiment, score (P(positive) -
    P(negative)), model. A text the model does not read (another language, an empty line) has null
    topic, probability, sentiment and score.
    """
    with _told():
        from models.classifier import Classifier

        classifier = Classifier.load(model, engine, threads)
        try:
            for lines in _arriving(sys.stdin.buffer):
                _write_predictions(classifier, lines, language)
        except BrokenPipeError:
            # The reader left (`| head`): not an error. Keep the interpreter's own last flush quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_predictions(classifier: Classifier, lines: list[str], language: str) -> None:
    from models.text import model_input
    from monitor.collect.languages import language_of

    texts = [model_input(line) for line in lines]
    languages = [language_of(None, t) if language == "auto" else language for t in texts]
    known = [None if code == "und" else code for code in languages]
    name = f"{classifier.bundle.name} {classifier.bundle.version}"
    for line, code, prediction in zip(lines, known, classifier.predict(texts, known), strict=True):
        record = {
            "text": line,
            "language": code,
            "topic": prediction.topic,
            "probability": _rounded(prediction.topic_probability),
            "sentiment": prediction.sentiment,
            "score": _rounded(prediction.score),
            "model": name,
        }
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _arriving(stream: BinaryIO) -> Iterator[list[str]]:
    """Lines as they come: what waits, up to a chunk, so that a slow pipe is answered at once."""
    waiting: Queue[bytes | None] = Queue(maxsize=4 * _CHUNK_LINES)

    def read() -> None:
        for line in stream:
            waiting.put(line)
        waiting.put(None)

    Thread(target=read, name="stdin", daemon=True).start()
    ended = False
    while not ended:
        chunk = [waiting.get()]
        while chunk[-1] is not None and len(chunk) < _CHUNK_LINES:
            try:
                chunk.append(waiting.get_nowait())
            except Empty:
                break
        ended = chunk[-1] is None
        lines = [
            line.decode("utf-8", "replace").rstrip("\r\n") for line in chunk if line is not None
        ]
        if lines:
            yield lines


def _watch(console: Console, bar: Progress) -> Watch:
    from models.fit import Watch

    row = bar.add_task("starting", total=None)

    def phase(what: str) -> None:
        bar.update(row, description=what, completed=0, total=None)

    def step(done: int, total: int, loss: float) -> None:
        bar.update(row, description=f"training, loss {loss:.3f}", completed=done, total=total)

    def epoch(figures: Epoch) -> None:
        heads = ", ".join(
            f"{head} macro-F1 {f1:.4f} accuracy {figures.accuracy[head]:.4f}"
            for head, f1 in figures.macro_f1.items()
        )
        console.print(f"epoch {figures.number + 1}: loss {figures.train_loss:.4f}; valid: {heads}")

    return Watch(phase, step, epoch)


def _command(arguments: list[str]) -> str:
    """The command line for the card, without what is about this machine's run only."""
    kept = [a for a in arguments if a != "--resume" and not a.startswith("--work=")]
    if "--work" in kept:
        at = kept.index("--work")
        del kept[at : at + 2]
    named = [Path(a).name if Path(a).is_absolute() else a for a in kept]
    return shlex.join(["foreshock", *named])


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the model as one line on standard error, exit status 2."""
    try:
        yield
    except ModelError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


COMMANDS: tuple[Callable[..., None], ...] = (train, evaluate, classify)
