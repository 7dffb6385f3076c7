"""The ``foreshock`` command.

Each module holds the commands of one subject; heavy libraries are imported inside the commands, so that
``--help`` is quick and a process loads only what it runs.
"""

from __future__ import annotations

import sys

import typer

from models.errors import ModelError
from monitor.cli import backtest, explain, model, news, operate, pretrain, serving, stories, trends
from monitor.cli.alert import alert_app
from monitor.cli.bundles import models_app
from monitor.cli.data import data_app
from monitor.cli.dead import dead_app
from monitor.cli.entities import entities_app
from monitor.cli.feeds import feeds_app
from monitor.cli.labels import labels_app
from monitor.cli.notify import notify_app, silence_app
from monitor.cli.people import audit_app, people_app
from monitor.cli.privacy import privacy_app
from monitor.cli.retrain import retrain_app
from monitor.cli.rules import rules_app
from monitor.cli.streams import streams_app
from monitor.cli.watchlist import watchlist_app
from monitor.errors import ConfigError, ForeshockError, RetriableError

app = typer.Typer(
    name="foreshock",
    help="Financial sentiment and risk monitoring: news in, few, early, explained alerts out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    *news.COMMANDS,
    *operate.COMMANDS,
    *backtest.COMMANDS,
    *stories.COMMANDS,
    *trends.COMMANDS,
    *model.COMMANDS,
    *pretrain.COMMANDS,
    *explain.COMMANDS,
):
    app.command()(command)
for command in news.PROCESSES:
    app.command(hidden=True)(command)
for part in serving.COMMANDS:
    models_app.command()(part)
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(watchlist_app, name="watchlist")
app.add_typer(feeds_app, name="feeds")
app.add_typer(entities_app, name="entities")
app.add_typer(rules_app, name="rules")
app.add_typer(operate.db, name="db")
app.add_typer(streams_app, name="streams")
app.add_typer(dead_app, name="dead")
app.add_typer(alert_app, name="alert")
app.add_typer(labels_app, name="labels")
app.add_typer(retrain_app, name="retrain")
app.add_typer(notify_app, name="notify")
app.add_typer(silence_app, name="silence")
app.add_typer(people_app, name="people")
app.add_typer(audit_app, name="audit")
app.add_typer(privacy_app, name="privacy")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"foreshock {installed('foreshock')}")
        raise typer.Exit


def main() -> None:
    """Run the command; what a person can mend is one message, not a stack trace.

    Exit codes: 0 done, 1 failed, 2 a wrong argument or setting, 3 something outside does not answer.
    """
    try:
        app()
    except (ConfigError, ModelError) as error:
        _fail(error, 2)
    except RetriableError as error:
        _fail(error, 3)
    except ForeshockError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(error: Exception, code: int) -> None:
    typer.echo(f"error: {error}", err=True)
    sys.exit(code)
