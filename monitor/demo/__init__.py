"""The demo's news: two weeks of invented items about thirteen invented companies, as real feeds.

``storylines/*.yaml`` holds the items (fields: `monitor.demo.items.DemoItem`), ``watchlist.csv``
the companies, ``backgrounds.yaml`` the closing paragraphs of article pages, ``expected.yaml`` what
a desk had to be told and what it must not be told as new. No name here is meant to be anybody's.

To add a story: one more file in ``storylines/`` and, where it matters to a desk, an entry in
``expected.yaml``.
"""
