"""``foreshock streams``: look after the streams."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer

from monitor.cli.options import ConfigOption, JsonOption, KafkaOption, settings_of, told

streams_app = typer.Typer(help="Look after the streams.", no_args_is_help=True)


@streams_app.command()
def lag(
    config: ConfigOption = None, kafka: KafkaOption = None, as_json: JsonOption = False
) -> None:
    """Show how many records each stage has still to read, by partition."""
    with told():
        from monitor.pipeline import STAGES
        from monitor.stream import open_broker

        settings = settings_of(config, None, kafka)
        reads = {name: spec.reads for name, spec in STAGES.items() if spec.reads is not None}
        with closing(open_broker(settings.broker_settings())) as broker:
            broker.create(dict.fromkeys(reads.values(), settings.stream.partitions))
            found = broker.lags(reads)
    if as_json:
        counted = {
            name: {partition: place.records for partition, place in places.items()}
            for name, places in found.items()
        }
        typer.echo(json.dumps(counted, indent=1))
        return
    for name, places in found.items():
        parts = ", ".join(f"{number}: {place.records}" for number, place in sorted(places.items()))
        total = sum(place.records for place in places.values())
        typer.echo(f"{name:10} {total:>9,}   {reads[name]}   {parts}")


@streams_app.command()
def rewind(
    to: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"],
            help="From the first record appended then: 2026-01-05T09:00Z.",
        ),
    ],
    stage: Annotated[list[str], typer.Option(help="Which stage reads again; repeat for several.")],
    config: ConfigOption = None,
    kafka: KafkaOption = None,
) -> None:
    """Let stages read their streams again from a time on, for instance after a database was restored.

    What is stored already is not stored twice. Stop the processes of these stages first.
    """
    with told():
        from monitor.errors import ConfigError
        from monitor.pipeline import STAGES
        from monitor.stream import open_broker

        settings = settings_of(config, None, kafka)
        reads = {name: spec.reads for name, spec in STAGES.items() if spec.reads is not None}
        for name in stage:
            if name not in reads:
                raise ConfigError(f"--stage {name}: stages that read are {', '.join(reads)}")
        with closing(open_broker(settings.broker_settings())) as broker:
            for name in stage:
                found = broker.rewind(name, reads[name], int(to.timestamp() * 1000))
                left = sum(place.records for place in found.values())
                typer.echo(f"{name} reads {left:,} records of {reads[name]} again")
