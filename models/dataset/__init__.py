"""Labelled data before training: split it, check it, clean it, grow it.

- `near`, `keys`: which texts are one text; `splits` keeps them together, `leaks` finds where a
  set did not.
- `quality`: which labels look wrong (confident learning).
- `augment`: more training texts under the same label. Adding one: a class with `name` and
  ``augment(text, rng)`` in a module of its own, a line in `augment.REGISTRY` and a text it changes
  in `augment.SAMPLES`; the tests hold every entry to be deterministic and to keep its promise.
- `pseudo`: labels a model gives an unlabelled stream, never mistaken for a person's.
"""
