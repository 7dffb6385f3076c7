"""What people look at in a browser: pages, charts, and the web process that serves them.

To add a page: one module in `dashboards.pages` with a function ``page``, and one line in
``dashboards/pages/main.py``. Queries go to `monitor.store.pages`, cached in `dashboards.data`.
"""
