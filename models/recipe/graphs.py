"""The bundle's ONNX graphs, from plain operators that a small WebAssembly engine has."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


def save(path: Path, nodes: list, tensors: dict[str, np.ndarray], source, output) -> None:
    initializers = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, path.parent.name, [source], [output], initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, producer_name="smallfirst-recipe", opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def save_encoder(path: Path, table: np.ndarray, scale: np.ndarray) -> None:
    """ids i64 [batch, tokens] -> mean of the rows, L2-normalised, f32 [batch, dimension]."""
    per_row = scale.shape[0] > 1
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows8"], axis=0)]
    nodes.append(helper.make_node("Cast", ["rows8"], ["rows"], to=TensorProto.FLOAT))
    if per_row:
        nodes.append(helper.make_node("Gather", ["scale", "ids"], ["factor"], axis=0))
    nodes += [
        helper.make_node("Mul", ["rows", "factor" if per_row else "scale"], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["mean", "mean"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "last"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "epsilon"], ["positive"]),
        helper.make_node("Sqrt", ["positive"], ["norm"]),
        helper.make_node("Div", ["mean", "norm"], ["embedding"]),
    ]
    tensors = {"table": table, "scale": scale, "last": np.array([1]), "epsilon": np.array(1e-12, np.float32)}
    source = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "tokens"])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", table.shape[1]])
    save(path, nodes, tensors, source, output)


def save_dense(path: Path, layers: list[tuple[np.ndarray, np.ndarray]], name: str) -> None:
    """f32 [batch, inputs] -> Gemm (Relu Gemm)* -> logits f32 [batch, labels]; weights are [inputs, outputs]."""
    nodes, tensors, current = [], {}, name
    for index, (weights, biases) in enumerate(layers):
        if index:
            nodes.append(helper.make_node("Relu", [current], [f"active{index}"]))
            current = f"active{index}"
        tensors[f"weights{index}"] = weights.astype(np.float32)
        tensors[f"biases{index}"] = biases.astype(np.float32)
        result = "logits" if index == len(layers) - 1 else f"hidden{index}"
        nodes.append(helper.make_node("Gemm", [current, f"weights{index}", f"biases{index}"], [result]))
        current = result
    source = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", layers[0][0].shape[0]])
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", layers[-1][0].shape[1]])
    save(path, nodes, tensors, source, output)


class Session:
    """One ONNX file in onnxruntime, single-threaded so that every run gives the same bits."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.input: batch})[0]
