"""What a panel is, and how it becomes Grafana's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.models import dashboard as kinds
from grafana_foundation_sdk.models.common import SortOrder, StackingMode, TooltipDisplayMode

WIDTH = 24  # of a Grafana page, in its own units
HEIGHT, STAT_HEIGHT = 8, 4
SOURCE = kinds.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True)
class Panel:
    """One question to Prometheus.

    Parameters
    ----------
    title, about
        What it shows, and how to read it.
    ask
        Expressions by legend. ``JOB`` stands for the label match of the chosen jobs.
    unit
        Grafana's name of it: ``s``, ``bytes``, ``percentunit``, ``reqps``, ``short``.
    bounds
        Above which values it is orange, and red; a stat panel only.
    stat
        Whether it is one figure, not a curve.
    """

    title: str
    about: str
    ask: dict[str, str]
    unit: str = "short"
    bounds: tuple[float, float] | None = None
    stat: bool = False
    stacked: bool = field(default=False, kw_only=True)


Rows = dict[str, Sequence[Panel]]


def dashboard(uid: str, title: str, about: str, rows: Rows) -> boards.Dashboard:
    """Return a dashboard with a row of panels under each title."""
    made = (
        boards.Dashboard(f"Foreshock / {title}")
        .uid(f"foreshock-{uid}")
        .description(about)
        .tags(["foreshock"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(kinds.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            boards.DatasourceVariable("datasource").type("prometheus").label("Prometheus")
        )
        .with_variable(_jobs())
    )
    top = 0
    for name, panels in rows.items():
        made.with_row(boards.Row(name).grid_pos(kinds.GridPos(h=1, w=WIDTH, x=0, y=top)))
        top += 1
        width, height = WIDTH // len(panels), STAT_HEIGHT if panels[0].stat else HEIGHT
        for number, panel in enumerate(panels):
            place = kinds.GridPos(h=height, w=width, x=number * width, y=top)
            made.with_panel(_stat(panel, place) if panel.stat else _curves(panel, place))
        top += height
    return made


def _jobs() -> boards.QueryVariable:
    return (
        boards.QueryVariable("job")
        .label("Job")
        .datasource(SOURCE)
        .query("label_values(foreshock_store_up, job)")
        .refresh(kinds.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .multi(True)
    )


def _targets(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + number))
        .datasource(SOURCE)
        .expr(expression.replace("JOB", 'job=~"$job"'))
        .legend_format(legend)
        for number, (legend, expression) in enumerate(panel.ask.items())
    ]


def _stat(panel: Panel, place: kinds.GridPos) -> stat.Panel:
    steps = [kinds.Threshold(value=None, color=GREEN)]
    if panel.bounds is not None:
        steps += [
            kinds.Threshold(value=bound, color=color)
            for bound, color in zip(panel.bounds, (ORANGE, RED), strict=True)
        ]
    made = stat.Panel().title(panel.title).description(panel.about).unit(panel.unit)
    made.grid_pos(place).datasource(SOURCE).thresholds(
        boards.ThresholdsConfig().mode(kinds.ThresholdsMode.ABSOLUTE).steps(steps)
    )
    for target in _targets(panel):
        made.with_target(target)
    return made


def _curves(panel: Panel, place: kinds.GridPos) -> timeseries.Panel:
    made = timeseries.Panel().title(panel.title).description(panel.about).unit(panel.unit)
    made.grid_pos(place).datasource(SOURCE).min(0).fill_opacity(8).tooltip(
        common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    )
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for target in _targets(panel):
        made.with_target(target)
    return made
