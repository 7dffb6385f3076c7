"""A graph that lets rows be filled up: what stands behind a text is not looked at (OpenVINO).

A bundle's graph reads rows of one length. Here it is changed as it is loaded: ids below zero are no
tokens, so that attention passes them over and means leave them out. A row's outputs then do not depend
on how many of them it has, but for rounding: sums have other orders.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: An id that is no token.
NO_TOKEN = -1
_FAR_BELOW = -1e9  # added to a score, its weight is zero, exactly


def mask_padding(graph: Any) -> bool:
    """Change a graph (``openvino.Model`` with one input of ids) in place; say whether it could be.

    It can where attention is one operation that is given no mask, as BERT's is when it is converted from
    torch, and where the model puts no tokens of its own before a text's, as prefix and prompt tuning do.
    """
    from openvino import opset15 as op

    nodes = graph.get_ordered_ops()
    attention = [n for n in nodes if n.get_type_name() == "ScaledDotProductAttention"]
    if not attention or not all(map(_takes_a_mask, attention)) or any(map(_joins_tokens, nodes)):
        return False
    means = [
        n
        for n in nodes
        if n.get_type_name() == "ReduceMean" and n.input_value(1).get_node().data.tolist() == [1]
    ]
    (ids,) = graph.get_parameters()
    readers = list(ids.output(0).get_target_inputs())
    none = op.constant(0, np.int64)
    tokens = op.maximum(ids, none)
    for reader in readers:
        reader.replace_source_output(tokens.output(0))
    real = op.greater_equal(ids, none)  # (rows, tokens)
    one, zero, far = (op.constant(each, np.float32) for each in (1.0, 0.0, _FAR_BELOW))
    # Chosen, not computed: a product with a converted number is taken for the reverse of quantisation.
    counted, added = op.select(real, one, zero), op.select(real, zero, far)
    scores = op.unsqueeze(added, op.constant([1, 2], np.int64))  # (rows, 1, 1, tokens)
    for node in attention:
        node.input(3).replace_source_output(scores.output(0))
    along, last = op.constant([1], np.int64), op.constant([2], np.int64)
    columns = op.unsqueeze(counted, last)
    for node in means:
        total = op.reduce_sum(op.multiply(node.input_value(0), columns), along, False)
        mean = op.divide(total, op.reduce_sum(columns, along, False))
        for reader in list(node.output(0).get_target_inputs()):
            reader.replace_source_output(mean.output(0))
    graph.validate_nodes_and_infer_types()
    return True


def _takes_a_mask(attention: Any) -> bool:
    inputs = attention.inputs()
    return len(inputs) > 3 and bool(inputs[3].get_partial_shape().rank == 0)


def _joins_tokens(node: Any) -> bool:
    rank = node.get_output_partial_shape(0).rank
    return node.get_type_name() == "Concat" and bool(rank.is_dynamic or rank.get_length() > 2)
