"""``train``, ``evaluate`` and ``classify``: the model from the command line."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from models.errors import MissingExtraError, ModelError
from monitor.cli.events import EventsBy, evaluate_events
from monitor.cli.options import told
from monitor.cli.progress import bar, progress_of
from monitor.cli.search import run_search
from monitor.cli.zero_shot import (
    BaseOption,
    WayOption,
    ZeroShotOption,
    line_writer,
    refuse_without,
    report_of,
)

if TYPE_CHECKING:
    from models.classifier import Prediction
    from models.routing import Router
    from models.training.loop import Epoch, Watch

EngineName = Literal["auto", "openvino", "torch"]

_BundleOption = Annotated[
    Path | None,
    typer.Option("--model", help="Folder of a bundle; default: the one that comes with foreshock."),
]
_BundlesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        help="Folder of a bundle; default: the one that comes with foreshock. Repeat for several: "
        "measured as an ensemble, by the mean of their calibrated probabilities.",
    ),
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
    config: Annotated[
        Path | None,
        typer.Option(help="Recipe, TOML; default: the one of the shipped bundle."),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE over the recipe, such as fit.epochs=3; repeat for several."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a recipe: one labelled file, csv or jsonl with a split column."
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="With --data: name of the head, and of the column of labels.")
    ] = None,
    search: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a bundle: try settings of the recipe as this TOML file says, on its validation "
            "split or folds of its training split."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder the bundle is written to; with --search, best.toml and search.json."
        ),
    ] = Path("bundle"),
    work: Annotated[
        Path | None, typer.Option(help="Folder of checkpoints; default: OUT.checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, if there is one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --search: trials as JSON.")] = False,
) -> None:
    """Fine-tune a BERT base with one head per question, and write a bundle.

    Ends with the int8 graph, calibrated probabilities, a validation curve and MODEL_CARD.md with
    the figures of the test splits. Every key of a recipe is in the reference; --set changes one. Needs
    foreshock[train].

    On several GPUs: torchrun --nproc-per-node N -m monitor.cli train ...; each step's batch is shared out, so
    that the result is that of one GPU; fit.parallel says how.

    --search never reads the test split. It ends with a table, and the best settings as a recipe for --config.
    """
    with told():
        try:
            from models.training.config import SHIPPED, load_config, make_config
            from models.training.fitted import Places
            from models.training.parallel import idle_gpus, rank
            from models.training.run import train as run
        except ImportError as error:
            raise MissingExtraError("training", "train", error.name or "torch") from error
        if (data is None) != (head is None) or (data is not None and config is not None):
            raise ModelError("--data and --head go together, and without --config")
        if data is not None and head is not None:
            table = {"heads": {head: {}}, "data": [{"head": head, "file": str(data.absolute())}]}
            recipe = make_config(table, "--data", change or ())
        else:
            recipe = load_config(config or SHIPPED, change or ())
        places = Places(
            out=out,
            work=work or out.with_name(out.name + ".checkpoints"),
            beside=config.parent if config else None,
            resume=resume,
            command=_command(sys.argv[1:]),
        )
        console = Console(stderr=True, quiet=rank() > 0)
        if idle := idle_gpus():
            console.print(
                f"{idle} more GPUs are there; to use them: torchrun --nproc-per-node {idle + 1} "
                "-m monitor.cli train ...",
                soft_wrap=True,
            )
        with bar(console) as shown:
            if search is not None:
                run_search(recipe, search, places, console, shown, as_json)
                return
            folder = run(recipe, places, _watch(console, shown))
        console.print(f"bundle written to {folder}; figures in {folder / 'MODEL_CARD.md'}")


def evaluate(
    file: Annotated[Path, typer.Argument(help="csv or jsonl with named columns, plain or gzip.")],
    task: Annotated[
        str, typer.Option(help="Which head: topic, sentiment, target, ...; or risk, with --map.")
    ],
    text: Annotated[str, typer.Option(help="Column of the texts.")],
    label: Annotated[str, typer.Option(help="Column of the labels; see --separator for several.")],
    target: Annotated[
        str | None, typer.Option(help="Column of the company asked about, for a target head.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Only rows whose split column says so; default: every row.")
    ] = None,
    separator: Annotated[
        str, typer.Option(help="Between the labels of one row, for a head with several.")
    ] = "|",
    ignore_unknown: Annotated[
        bool,
        typer.Option("--ignore-unknown", help="Leave out labels that the head does not have."),
    ] = False,
    event_map: Annotated[
        Path | None,
        typer.Option(
            "--map", help="Risk events: YAML that says which of ours speaks of which label."
        ),
    ] = None,
    events_by: Annotated[
        EventsBy,
        typer.Option(
            help="With --map: events that the rules read, the model's risk head, or both."
        ),
    ] = "both",
    perturb: Annotated[
        bool,
        typer.Option("--perturb", help="Instead: how many labels flip under typos, case, names."),
    ] = False,
    zero_shot: ZeroShotOption = None,
    way: WayOption = "embedding",
    base: BaseOption = None,
    model: _BundlesOption = None,
    engine: _EngineOption = "auto",
    threads: _ThreadsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON.")] = False,
) -> None:
    """Measure a model, several as an ensemble, or with --map how risk events are read.

    Prints n, accuracy, macro_f1, weighted_f1, ece (expected calibration error, 15 bins of equal
    width, Guo et al. 2017), accuracy on the surest rows, figures per class and the confusion matrix.
    """
    with told():
        from models.classifier import Classifier
        from models.report import as_text

        if event_map is not None:
            if task != "risk" or len(model or ()) > 1:
                raise ModelError("--map goes with --task risk and one --model")
            events = evaluate_events(
                file,
                text,
                label,
                split,
                event_map,
                events_by,
                lambda: Classifier.load(model[0] if model else None, engine, threads),
            )
            typer.echo(json.dumps(events.as_json(), indent=2) if as_json else events.as_text())
            return
        from models.ensemble import Ensemble

        refuse_without(zero_shot, way, base)
        if zero_shot is not None:
            if target is not None or perturb:
                raise ModelError("--zero-shot takes neither --target nor --perturb")
            described = report_of(
                zero_shot,
                way,
                base,
                model[0] if model else None,
                file=file,
                task=task,
                text=text,
                label=label,
                split=split,
            )
            typer.echo(json.dumps(described.as_json(), indent=2) if as_json else as_text(described))
            return
        from models.evaluate import evaluate_file
        from models.robustness.report import robustness_report
        from models.tables import read_texts

        if perturb and len(model or ()) > 1:
            raise ModelError("--perturb looks at one model: give one --model")
        folders: list[Path | None] = [*model] if model else [None]
        members = [Classifier.load(folder, engine, threads) for folder in folders]
        with progress_of(task) as progress:
            if perturb:
                texts = read_texts(file, text, split)
                found = robustness_report(members[0], texts, task, progress=progress)
                typer.echo(json.dumps(found.as_json(), indent=2) if as_json else found.as_text())
                return
            report = evaluate_file(
                Ensemble(members),
                file,
                task,
                text,
                label,
                split,
                target,
                progress,
                separator=separator,
                ignore_unknown=ignore_unknown,
            )
        typer.echo(json.dumps(report.as_json(), indent=2) if as_json else as_text(report))


def classify(
    model: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            help="Folder of a bundle; default: the one that comes with foreshock. Repeat it for several: "
            "each line is read by the one of its language.",
        ),
    ] = None,
    engine: _EngineOption = "auto",
    threads: _ThreadsOption = None,
    language: Annotated[
        str,
        typer.Option(help="ISO 639-1 code of every line, or auto to tell it from the text."),
    ] = "auto",
    embedding: Annotated[
        bool, typer.Option("--embedding", help="Write each text's embedding too, of unit length.")
    ] = False,
    zero_shot: ZeroShotOption = None,
    way: WayOption = "embedding",
    base: BaseOption = None,
) -> None:
    """Read texts from standard input, one a line; write one JSON object a line.

    Fields: text, language, topic, probability (of the topic), sentiment, score (P(positive) -
    P(negative)), events (risk events with their probabilities), unsure (heads that a person should
    check), model. A text the model does not read (another language, an empty line) has null topic,
    probability, sentiment and score. With --zero-shot: text, of each head its label and
    NAME_probability, and model; every language is read.
    """
    with told():
        from models.routing import Router

        refuse_without(zero_shot, way, base)
        if zero_shot is not None:
            write = line_writer(zero_shot, way, base, model[0] if model else None)
        else:
            router = Router.load(model or (None,), engine, threads)
            write = partial(_write_predictions, router, language, embedding)
        try:
            for lines in _arriving(sys.stdin.buffer):
                write(lines)
        except BrokenPipeError:
            # The reader left (`| head`): not an error. Keep the interpreter's own last flush quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_predictions(router: Router, language: str, embedding: bool, lines: list[str]) -> None:
    from models.text import model_input
    from monitor.collect.languages import language_of

    texts = [model_input(line) for line in lines]
    languages = [language_of(None, t) if language == "auto" else language for t in texts]
    known = [None if code == "und" else code for code in languages]
    main = router.main.bundle.model_version
    for line, code, prediction in zip(lines, known, router.predict(texts, known), strict=True):
        record = {
            "text": line,
            "language": code,
            "topic": prediction.topic,
            "probability": _rounded(prediction.topic_probability),
            "sentiment": prediction.sentiment,
            "score": _rounded(prediction.score),
            "events": {event: _rounded(p) for event, p in prediction.events.items()},
            "unsure": sorted(prediction.unsure),
            **({"embedding": _vector(prediction)} if embedding else {}),
            "model": prediction.model_version or main,
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


def _watch(console: Console, shown: Progress) -> Watch:
    from models.training.loop import Watch

    row = shown.add_task("starting", total=None)

    def phase(what: str) -> None:
        shown.update(row, description=what, completed=0, total=None)

    def step(done: int, total: int, loss: float) -> None:
        shown.update(row, description=f"training, loss {loss:.3f}", completed=done, total=total)

    def epoch(figures: Epoch) -> None:
        heads = ", ".join(
            f"{head} macro-F1 {f1:.4f} accuracy {figures.accuracy[head]:.4f}"
            for head, f1 in figures.macro_f1.items()
        )
        console.print(f"epoch {figures.number + 1}: loss {figures.train_loss:.4f}; valid: {heads}")

    def note(what: str) -> None:
        console.print(f"note: {what}", markup=False, highlight=False, soft_wrap=True)

    return Watch(phase, step, epoch, note)


def _command(arguments: list[str]) -> str:
    """The command line for the card, without what is about this machine's run only."""
    kept = [a for a in arguments if a != "--resume" and not a.startswith("--work=")]
    if "--work" in kept:
        at = kept.index("--work")
        del kept[at : at + 2]
    named = [Path(a).name if Path(a).is_absolute() else a for a in kept]
    return shlex.join(["foreshock", *named])


def _vector(prediction: Prediction) -> list[float] | None:
    if prediction.embedding is None:
        return None
    return [round(value, 5) for value in prediction.embedding.tolist()]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


COMMANDS: tuple[Callable[..., None], ...] = (train, evaluate, classify)
