"""The four dashboards: what they ask."""

from __future__ import annotations

from deploy.grafana.panels import Panel, Rows

RATE = "$__rate_interval"


def rate(counter: str, by: str, match: str = "") -> str:
    """Return how much of a counter came in a second, by a label."""
    inside = f"JOB,{match}" if match else "JOB"
    return f"sum by ({by}) (rate({counter}{{{inside}}}[{RATE}]))"


def quantile(q: float, histogram: str, by: str = "", match: str = "") -> str:
    """Return a quantile of a histogram's last observations; 0 while there are none."""
    inside = f"JOB,{match}" if match else "JOB"
    labels = f"le, {by}" if by else "le"
    buckets = f"sum by ({labels}) (rate({histogram}_bucket{{{inside}}}[{RATE}]))"
    whole = f"sum by ({by}) " if by else "sum "
    nothing = f"0 * {whole}(rate({histogram}_count{{{inside}}}[{RATE}]))"
    return f"(histogram_quantile({q}, {buckets}) >= 0) or {nothing}"


def objective(name: str) -> dict[str, str]:
    """Return the error ratios of a service level indicator, an hour's and three days'."""
    return {w: f"max(foreshock:{name}:error_ratio_{w}{{JOB}})" for w in ("1h", "3d")}


PIPELINE: Rows = {
    "Is it well?": (
        Panel(
            "Database",
            "1 while the web process can read it.",
            {"readable": "min(foreshock_store_up{JOB})"},
            stat=True,
        ),
        Panel(
            "Decisions behind the clock",
            "How old the news is that alerts have been decided on; everything before that stage is in it.",
            {"behind": "max(foreshock_alert_decided_behind_seconds{JOB})"},
            "s",
            (60, 300),
            stat=True,
        ),
        Panel(
            "Records to read",
            "Of all stages together; a burst is worked off, a growing number is not.",
            {"lag": "sum(max by (stage) (foreshock_pipeline_lag_records{JOB}))"},
            "short",
            (5_000, 50_000),
            stat=True,
        ),
        Panel(
            "Oldest turn of a stage",
            "Every stage ends a turn each few seconds, also while it has nothing to do.",
            {
                "stage": "time() - min(max by (stage) (foreshock_pipeline_turn_timestamp_seconds{JOB}))"
            },
            "s",
            (30, 120),
            stat=True,
        ),
    ),
    "How much": (
        Panel(
            "Records by stage",
            "Taken from its stream; a stage without a stream (collect, alert) takes none.",
            {"{{stage}}": rate("foreshock_pipeline_records_total", "stage")},
            "reqps",
        ),
        Panel(
            "Lag by stage",
            "Records a stage has still to read.",
            {"{{stage}}": "max by (stage) (foreshock_pipeline_lag_records{JOB})"},
        ),
        Panel(
            "Items stored",
            "New ones; repeats of what is known; redelivered after a crash; read again for a new watchlist.",
            {"{{outcome}}": rate("foreshock_aggregate_items_total", "outcome")},
            "reqps",
            stacked=True,
        ),
    ),
    "How long": (
        Panel(
            "Time to alert, median",
            "Spans: published to collected, appended to classified, collected to decided, written to sent.",
            {"{{span}}": quantile(0.5, "foreshock_alert_span_seconds", "span")},
            "s",
        ),
        Panel(
            "Time to alert, 99 %",
            "The same spans, the slowest hundredth.",
            {"{{span}}": quantile(0.99, "foreshock_alert_span_seconds", "span")},
            "s",
        ),
        Panel(
            "A batch, 95 %",
            "A turn takes as many records as a stage works through in about three seconds.",
            {"{{stage}}": quantile(0.95, "foreshock_pipeline_batch_seconds", "stage")},
            "s",
        ),
    ),
    "What goes wrong": (
        Panel(
            "Tried again",
            "Batches that waited for a broker or a database.",
            {"{{stage}}": rate("foreshock_pipeline_retries_total", "stage")},
            "reqps",
        ),
        Panel(
            "Dead letters",
            "What could not be used; `failed` and `schema` are ours to mend.",
            {"{{stage}}, {{reason}}": rate("foreshock_pipeline_dead_total", "stage, reason")},
            "reqps",
        ),
        Panel(
            "Housekeeping",
            "Runs of jobs; `not_leader` is another process's turn.",
            {"{{job}}, {{outcome}}": rate("foreshock_schedule_runs_total", "job, outcome")},
            "reqps",
        ),
    ),
    "Objectives": (
        Panel(
            "Decided later than 30 s",
            "Share of reports; the objective is 1 %.",
            objective("time_to_alert"),
            "percentunit",
        ),
        Panel(
            "Behind or unreadable",
            "Share of the time; the objective is 0.5 %.",
            objective("freshness"),
            "percentunit",
        ),
        Panel(
            "Size of the database",
            "On its disk.",
            {"bytes": "max(foreshock_store_bytes{JOB})"},
            "bytes",
        ),
    ),
}

MODELS: Rows = {
    "Which": (
        Panel(
            "Model in use",
            "The main bundle that classifies.",
            {"{{version}}": "max by (version) (foreshock_model_info{JOB}) == 1"},
            stat=True,
        ),
        Panel(
            "Promotion",
            "Number of the promotion it came by; 0: the bundle of the settings.",
            {"number": "max(foreshock_model_promotion{JOB})"},
            stat=True,
        ),
        Panel(
            "Refused in a day",
            "Promotions whose bundle did not pass its examination.",
            {"refused": 'sum(increase(foreshock_model_swaps_total{JOB,outcome!="serving"}[1d]))'},
            "short",
            (0.5, 2),
            stat=True,
        ),
    ),
    "How sure": (
        Panel(
            "Mean confidence",
            "Calibrated probability of what is answered.",
            {
                "{{head}}": f"({rate('foreshock_classify_probability_total', 'head')}"
                " / on () group_left () "
                f'(sum(rate(foreshock_classify_items_total{{JOB,outcome="read"}}[{RATE}])) > 0))'
                f" or 0 * {rate('foreshock_classify_probability_total', 'head')}"
            },
            "percentunit",
        ),
        Panel(
            "Unsure",
            "Share of the items that a head does not answer for; they go to the relabel queue.",
            {
                "{{head}}": f"({rate('foreshock_classify_unsure_total', 'head')}"
                " / on () group_left () "
                f'(sum(rate(foreshock_classify_items_total{{JOB,outcome="read"}}[{RATE}])) > 0))'
                f" or 0 * {rate('foreshock_classify_unsure_total', 'head')}"
            },
            "percentunit",
        ),
        Panel(
            "Drift",
            "What a monitor measured last, by its bound; above 1 it speaks (`foreshock retrain drift`).",
            {"{{monitor}}": "max by (monitor) (foreshock_model_drift_ratio{JOB})"},
        ),
    ),
    "How fast": (
        Panel(
            "Items",
            "Read by a model, or in a language that none reads.",
            {"{{outcome}}": rate("foreshock_classify_items_total", "outcome")},
            "reqps",
            stacked=True,
        ),
        Panel(
            "A call of the model",
            "Topic, sentiment and events of a batch, then towards each company.",
            {
                "median": quantile(0.5, "foreshock_classify_inference_seconds"),
                "99 %": quantile(0.99, "foreshock_classify_inference_seconds"),
            },
            "s",
        ),
    ),
    "Exchange": (
        Panel(
            "Promotions",
            "`serving`: it took over; else why the model before it goes on.",
            {"{{outcome}}": "sum by (outcome) (foreshock_model_swaps_total{JOB})"},
        ),
        Panel(
            "On trial",
            "Items that a candidate read beside the champion.",
            {"{{trial}}, {{outcome}}": rate("foreshock_model_trial_items_total", "trial, outcome")},
            "reqps",
        ),
    ),
}

ALERTS: Rows = {
    "Now": (
        Panel(
            "Open alerts",
            "Firing or acknowledged.",
            {"open": "sum(max by (state, severity) (foreshock_alert_open_alerts{JOB}))"},
            stat=True,
        ),
        Panel(
            "Grave and unanswered",
            "Firing, severity 4 or 5, and acknowledged by nobody.",
            {
                "firing": "sum(max by (severity) (foreshock_alert_open_alerts"
                '{JOB,state="firing",severity=~"4|5"}))'
            },
            "short",
            (0.5, 5),
            stat=True,
        ),
        Panel(
            "A message waits since",
            "The longest of those that are due.",
            {"due": "max(foreshock_notify_overdue_seconds{JOB})"},
            "s",
            (60, 900),
            stat=True,
        ),
        Panel(
            "Channels",
            "1: it took its last message.",
            {"{{channel}}": "min by (channel) (foreshock_notify_channel_up{JOB})"},
            stat=True,
        ),
    ),
    "Alerts": (
        Panel(
            "By severity",
            "Open alerts.",
            {"{{severity}}": "sum by (severity) (foreshock_alert_open_alerts{JOB})"},
            stacked=True,
        ),
        Panel(
            "What happened",
            "Fired, grown worse, confirmed, denied, over: by kind of alert, in an hour.",
            {
                "{{kind}}, {{change}}": "sum by (kind, change) (increase("
                "foreshock_alert_changes_total{JOB}[1h]))"
            },
        ),
        Panel(
            "Withheld",
            "Items that looked like an alert and were not, in an hour.",
            {"{{reason}}": "sum by (reason) (increase(foreshock_alert_withheld_total{JOB}[1h]))"},
        ),
    ),
    "Delivery": (
        Panel(
            "Messages",
            "By what became of them, in an hour.",
            {
                "{{outcome}}": "sum by (outcome) (increase("
                "foreshock_notify_notifications_total{JOB}[1h]))"
            },
        ),
        Panel(
            "Held back",
            "Messages that waited or were not sent, by the stage that said so, in an hour.",
            {"{{stage}}": "sum by (stage) (increase(foreshock_notify_held_total{JOB}[1h]))"},
        ),
        Panel(
            "Written to sent",
            "Quiet hours and groups are in it.",
            {
                "median": quantile(0.5, "foreshock_alert_span_seconds", match='span="notify"'),
                "99 %": quantile(0.99, "foreshock_alert_span_seconds", match='span="notify"'),
            },
            "s",
        ),
    ),
    "Trust": (
        Panel(
            "Late or refused",
            "Share of messages; the objective is 1 %.",
            objective("delivery"),
            "percentunit",
        ),
        Panel(
            "Heartbeats",
            "To the monitor outside; withheld while something stands still.",
            {
                "{{outcome}}": "sum by (outcome) (increase("
                "foreshock_notify_heartbeats_total{JOB}[1h]))"
            },
        ),
        Panel(
            "Files in use",
            "1: rules, routes and watchlist were read when they last changed.",
            {
                "rules": "min(foreshock_alert_rules_last_reload_ok{JOB})",
                "routes": "min(foreshock_notify_routes_last_reload_ok{JOB})",
                "watchlist": "min(foreshock_watchlist_last_reload_ok{JOB})",
            },
        ),
    ),
}

FEEDS: Rows = {
    "Now": (
        Panel(
            "Sources",
            "Configured.",
            {"sources": "sum(max by (state) (foreshock_collect_sources{JOB}))"},
            stat=True,
        ),
        Panel(
            "Not read",
            "Silent, failing or blocked; the Feeds page says which and why.",
            {
                "sources": "sum(max by (state) (foreshock_collect_sources"
                '{JOB,state=~"silent|failing|blocked"}))'
            },
            "short",
            (1, 5),
            stat=True,
        ),
        Panel(
            "Dead letters that wait",
            "For `foreshock dead retry` or `drop`.",
            {"letters": "sum(max by (stage) (foreshock_dead_waiting_letters{JOB}))"},
            "short",
            (1, 100),
            stat=True,
        ),
    ),
    "Coverage": (
        Panel(
            "Sources by state",
            "No news is good news only while its source is ok.",
            {"{{state}}": "max by (state) (foreshock_collect_sources{JOB})"},
            stacked=True,
        ),
        Panel(
            "Share not read",
            "The objective is 5 %.",
            objective("coverage"),
            "percentunit",
        ),
        Panel(
            "Items collected",
            "Appended to news.articles.",
            {"items": f"sum(rate(foreshock_collect_items_total{{JOB}}[{RATE}]))"},
            "reqps",
        ),
    ),
    "Visits": (
        Panel(
            "How they ended",
            "`ok`, or why not.",
            {"{{outcome}}": rate("foreshock_collect_visits_total", "outcome")},
            "reqps",
            stacked=True,
        ),
        Panel(
            "How long they took",
            "A slow source holds up no other.",
            {
                "median": quantile(0.5, "foreshock_collect_visit_seconds"),
                "95 %": quantile(0.95, "foreshock_collect_visit_seconds"),
            },
            "s",
        ),
        Panel(
            "Published to collected",
            "How late sources tell, and how often they are visited.",
            {
                "median": quantile(0.5, "foreshock_collect_latency_seconds"),
                "95 %": quantile(0.95, "foreshock_collect_latency_seconds"),
            },
            "s",
        ),
        Panel(
            "Unusable",
            "What a source brought and could not be read, in an hour.",
            {
                "{{reason}}": "sum by (reason) (increase("
                'foreshock_pipeline_dead_total{JOB,stage="collect"}[1h]))'
            },
        ),
    ),
}
