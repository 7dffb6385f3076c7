"""Relabelling: which items are worth an analyst's minute, what they say, and what counts of it.

``queue`` chooses, ``answers`` takes down, ``standing`` says which label counts, ``agreement`` how far people
agree, ``exchange`` carries labels to other tools and back. Labels themselves are in `monitor.store.labels`.

To add a sampler: a class with ``order`` and ``why`` in ``samplers``, one line in `samplers.SAMPLERS`, and its
share in the settings.
"""
