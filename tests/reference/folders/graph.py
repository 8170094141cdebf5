"""Writing ONNX graphs, and the JSON files beside them."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
OPSET = 17


class Graph:
    """Nodes and weights. Every method that adds a node gives the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        # Weights by what they hold: what several layers share is stored once.
        self.names: dict[tuple, str] = {}

    def weight(self, value) -> str:
        value = np.asarray(value, order="C")
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self.names:
            self.names[key] = f"weight_{len(self.weights)}"
            self.weights.append(numpy_helper.from_array(value, self.names[key]))
        return self.names[key]

    def floats(self, value) -> str:
        return self.weight(np.asarray(value, np.float32))

    def ints(self, *values: int) -> str:
        return self.weight(np.array(values, np.int64))

    def add(self, operator: str, *inputs: str, out: str | list[str] | None = None, **attributes) -> str:
        outs = [out] if isinstance(out, str) else out or [f"value_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(operator, inputs, outs, name=f"node_{len(self.nodes)}", **attributes))
        return outs[0]

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None = None, out: str | None = None) -> str:
        """A layer with its weights as PyTorch has them: a row for each output."""
        if bias is None:
            return self.add("MatMul", x, self.weight(weight.T), out=out)
        return self.add("Add", self.add("MatMul", x, self.weight(weight.T)), self.weight(bias), out=out)

    def norm(self, x: str, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> str:
        return self.add("LayerNormalization", x, self.weight(weight), self.weight(bias), axis=-1, epsilon=epsilon)

    def save(self, path: Path, inputs: list[tuple], outputs: list[tuple]) -> None:
        ports = [[helper.make_tensor_value_info(*port) for port in side] for side in (inputs, outputs)]
        save(helper.make_graph(self.nodes, "model", *ports, self.weights), path)


def save(graph: onnx.GraphProto, path: Path, opset: int = OPSET) -> None:
    """Writes a graph, checked. The bytes depend on the graph alone."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="smallfirst")
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tokens(name: str) -> tuple:
    """An input with a number for each token."""
    return (name, INT64, ["batch_size", "sequence_length"])


def labels(names: list[str]) -> dict:
    """The names of the labels as config.json has them."""
    return {"id2label": {str(at): name for at, name in enumerate(names)}, "label2id": {n: at for at, n in enumerate(names)}}


def write(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
