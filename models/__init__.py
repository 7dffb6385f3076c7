"""Texts in, predictions out: training, bundles, engines, measuring. Nothing of articles or streams.

Public surface
--------------
- `models.classifier`: `Classifier` (load a bundle, predict) and `Prediction`.
- `models.routing`: `Router`: several bundles, each for its languages, as one classifier.
- `models.labels`: topics, sentiments, `sentiment_score`; standard library only.
- `models.text`: `normalise`, `mask`, `model_input`, `NORMALISATION_VERSION`; standard library only.
- `models.bundle`: `Bundle`, `load_bundle`, `shipped_bundle`.
- `models.evaluate`, `models.report`: a bundle measured on a labelled file, as figures and as text.
- `models.training`: recipes and labelled files to a bundle; `models.errors`: what can go wrong.

Serving needs the base install only. `models.training` (but for its `config`), `encoder`, `adapters` (with
`parts`, `bottleneck`, `prompts`) and `quantise` need ``foreshock[train]``; `models.engines.torch` needs
``foreshock[gpu]``. Nothing is imported here, so that `models.labels` stays cheap.

To add a head: name it in a recipe, see `models.training.config`. To add a kind of head: a `HeadKind`, its
loss in `models.training.losses`, its answer in `models.classifier`. To add an engine: a module in
`models.engines` with the methods of `models.engines.Engine`, and a line in `models.engines.choice`.
"""
