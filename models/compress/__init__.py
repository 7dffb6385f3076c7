"""Smaller and faster models out of a trained one, with what it costs in quality.

One module per technique: `heads` (pruned attention heads), `layers` (dropped layers), `vocabulary`
(trimmed tokens), `precision` (int8, bfloat16, float32), `onnx_graph` (ONNX for other runtimes).
`run` applies one to a bundle or a base and measures before and after.

Given a bundle, a bundle comes out. Given a base, a base comes out, which ``foreshock train --base``
starts from. Everything here needs ``foreshock[train]``.

To add a technique: a module here, a name in `models.compress.run.METHODS` and a branch in
`models.compress.run.compress`.
"""
