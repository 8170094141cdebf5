"""The tuned encoder as ONNX, dynamically quantised as onnxruntime's `quantize_dynamic` does it, but with a scale a column.

The table of tokens is int8 with a scale a row. An engine may run the products in integers, as onnxruntime does, or take
the weights for floats.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

import graphs
from bert.network import EPSILON, HEADS, Parameters


class _Graph:
    """Nodes, and the tensors that they need."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.tensors: dict[str, np.ndarray] = {}
        self.quantised_inputs: dict[str, list[str]] = {}

    def tensor(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.tensors[name] = np.asarray(value, dtype)
        return name

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def quantised(self, name: str, value: np.ndarray, axis: int) -> tuple[str, str]:
        """Whole numbers and their scales, one for each place along the other axis; `axis` is scaled over."""
        scale = np.maximum(np.abs(value).max(axis=axis, keepdims=True), 1e-12) / 127
        numbers = self.tensor(f"{name}.int8", np.rint(value / scale), np.int8)
        return numbers, self.tensor(f"{name}.scale", scale if axis else scale[0])

    def norm(self, x: str, name: str, layer: dict) -> str:
        weights = [self.tensor(f"{name}.{part}", layer[part]) for part in ("weight", "bias")]
        return self.add("LayerNormalization", x, *weights, axis=-1, epsilon=EPSILON)

    def integers(self, x: str) -> list[str]:
        """Whole numbers of 8 bits, their scale and their zero; once a value, however many products read it."""
        if x not in self.quantised_inputs:
            names = [f"{x}.{part}" for part in ("int8", "scale", "zero")]
            self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], names))
            self.quantised_inputs[x] = names
        return self.quantised_inputs[x]

    def linear(self, x: str, name: str, layer: dict) -> str:
        numbers, scale = self.quantised(f"{name}.weight", np.asarray(layer["weight"]), axis=0)
        own, own_scale, zero = self.integers(x)
        product = self.add("Cast", self.add("MatMulInteger", own, numbers, zero), to=TensorProto.FLOAT)
        product = self.add("Mul", product, self.add("Mul", own_scale, scale))
        return self.add("Add", product, self.tensor(f"{name}.bias", layer["bias"]))

    def attention(self, x: str, name: str, layer: dict, width: int) -> str:
        split = self.tensor("split", [0, 0, HEADS, width // HEADS], np.int64)
        joined = self.tensor("joined", [0, 0, width], np.int64)

        def part(which: str, order: list[int]) -> str:
            projected = self.linear(x, f"{name}.{which}", layer[which])
            return self.add("Transpose", self.add("Reshape", projected, split), perm=order)

        query, key = part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1])
        scale = self.tensor("attention.scale", np.sqrt(HEADS / width))
        weights = self.add("Softmax", self.add("Mul", self.add("MatMul", query, key), scale), axis=-1)
        mixed = self.add("MatMul", weights, part("value", [0, 2, 1, 3]))
        mixed = self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        return self.linear(mixed, f"{name}.attended", layer["attended"])

    def gelu(self, x: str) -> str:
        one, half = self.tensor("one", 1), self.tensor("half", 0.5)
        error = self.add("Erf", self.add("Div", x, self.tensor("root", np.sqrt(2))))
        return self.add("Mul", self.add("Mul", x, self.add("Add", error, one)), half)


def save(path: Path, found: Parameters) -> None:
    """input_ids i64 [batch, tokens] -> f32 [batch, dimension]; at most as many tokens as there are positions."""
    graph, width = _Graph(), found["tokens"].shape[1]
    numbers, scale = graph.quantised("tokens", np.asarray(found["tokens"]), axis=1)
    rows = graph.add("Cast", graph.add("Gather", numbers, "input_ids", axis=0), to=TensorProto.FLOAT)
    rows = graph.add("Mul", rows, graph.add("Gather", scale, "input_ids", axis=0))
    zero, one = graph.tensor("zero_at", [0], np.int64), graph.tensor("one_at", [1], np.int64)
    length = graph.add("Slice", graph.add("Shape", "input_ids"), one, graph.tensor("two_at", [2], np.int64), zero)
    positions = graph.add("Slice", graph.tensor("positions", found["positions"]), zero, length, zero)
    x = graph.norm(graph.add("Add", rows, positions), "norm", found["norm"])
    for index, layer in enumerate(found["layers"]):
        name = f"layer{index}"
        attended = graph.add("Add", x, graph.attention(x, name, layer, width))
        x = graph.norm(attended, f"{name}.attended_norm", layer["attended_norm"])
        inner = graph.gelu(graph.linear(x, f"{name}.inner", layer["inner"]))
        outer = graph.add("Add", x, graph.linear(inner, f"{name}.outer", layer["outer"]))
        x = graph.norm(outer, f"{name}.outer_norm", layer["outer_norm"])
    graph.nodes.append(helper.make_node("ReduceMean", [x], ["embedding"], axes=[1], keepdims=0))
    source = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", width])
    graphs.save(path, graph.nodes, graph.tensors, source, output)
