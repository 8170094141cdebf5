"""Weights of a graph in 8 bits: each row (or channel) has a scale of its own, and a DequantizeLinear makes it floats again."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Smaller ones are not worth a node.
LEAST = 4096
# Which input of an operator is its weights, and along which axis each number of the output has its own.
WEIGHTS = {"Conv": (1, 0), "MatMul": (1, -1), "Gemm": (1, -1), "Gather": (0, 0)}


def axis_of(node: onnx.NodeProto, axis: int, dims: int) -> int:
    turned = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if turned else axis % dims


def rounded(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    others = tuple(at for at in range(weights.ndim) if at != axis)
    most = np.abs(weights).max(axis=others)
    scale = np.where(most > 0, most / np.float32(127), np.float32(1)).astype(np.float32)
    shape = [-1 if at == axis else 1 for at in range(weights.ndim)]
    return np.clip(np.round(weights / scale.reshape(shape)), -127, 127).astype(np.int8), scale


def in_8_bits(content: bytes) -> bytes:
    """The same model. The bytes depend on it alone."""
    model = onnx.load_from_string(content)
    graph = model.graph
    large = {w.name: w for w in graph.initializer if w.data_type == TensorProto.FLOAT and np.prod(w.dims) >= LEAST and len(w.dims) > 1}
    users: dict[str, set[int]] = {}
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name in large:
                place = WEIGHTS.get(node.op_type)
                axis = axis_of(node, place[1], len(large[name].dims)) if place and place[0] == at else None
                users.setdefault(name, set()).add(-1 if axis is None else axis)
    kept, nodes = [], []
    for weights in graph.initializer:
        axes = users.get(weights.name, set())
        # What two operators read along different axes, or anything else reads, stays as it is.
        if len(axes) != 1 or -1 in axes:
            kept.append(weights)
            continue
        (axis,) = axes
        values, scale = rounded(numpy_helper.to_array(weights), axis)
        parts = [numpy_helper.from_array(values, f"{weights.name}_int8"), numpy_helper.from_array(scale, f"{weights.name}_scale")]
        kept.extend(parts)
        nodes.append(helper.make_node("DequantizeLinear", [p.name for p in parts], [weights.name], axis=axis))
    every = [*nodes, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(every)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
