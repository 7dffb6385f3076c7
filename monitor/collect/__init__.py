"""Collecting: sources are visited, what they bring is cleaned, dated and named. Never loads torch.

::

    source.poll(now) -> RawItem | DeadItem      sources.py: feeds, sitemaps, APIs, files, ...
    to_article(raw, now, rules)                 articles.py: text, date, language, id
    repeats.fresh(articles)                     repeats.py (feeds only; replays are not filtered)

To add a source: write one class that holds to `monitor.collect.source.Source` and takes a
`SourceConfig`; what it alone can be told is a pydantic model, its attribute ``Options``. Add one line to
`monitor.collect.sources.SOURCES`, and put one sample at ``tests/contract/samples/sources/KIND.*`` (what its
``location`` may point at, with at least one good item). ``tests/contract/test_sources.py`` runs over the
registry and fails when the sample is missing. A package of your own adds a kind by an entry point of the
group ``foreshock.sources``: ``deploy/docs/sources.md``.
"""
