"""The Grafana dashboards as code: ``python -m deploy.grafana`` writes ``dashboards/grafana/*.json``.

A dashboard is a list of rows, a row a list of panels; a panel is what it asks, in which unit, and what a
person reads off it. Everything else (ids, colours, places) is here, once.
"""
