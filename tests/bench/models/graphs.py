"""The benchmark's graphs: MiniLM as exporters write it, MobileNetV2 with its batch norms folded, and their FLOPs."""

from pathlib import Path

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

OPSET = 17
IR_VERSION = 8
LAYERS, HEADS, WIDTH = 6, 12, 384


class Graph:
    """Nodes and weights as they are added; a node's output is named by its number."""

    def __init__(self) -> None:
        self.nodes, self.tensors = [], {}

    def add(self, op: str, *inputs, **attributes) -> str:
        names = [value if isinstance(value, str) else self.weight(f"constant{len(self.tensors)}", value) for value in inputs]
        output = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [output], name=output, **attributes))
        return output

    def weight(self, name: str, value) -> str:
        self.tensors[name] = np.ascontiguousarray(value)
        return name

    def model(self, name: str, inputs: list, output: tuple[str, str, list]) -> onnx.ModelProto:
        inside, outside, dims = output
        self.nodes.append(helper.make_node("Identity", [inside], [outside], name=outside))
        initializers = [numpy_helper.from_array(value, key) for key, value in self.tensors.items()]
        result = helper.make_tensor_value_info(outside, TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, name, inputs, [result], initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, producer_name="smallfirst-bench", opset_imports=opsets, ir_version=IR_VERSION)


def minilm(weights: Path) -> onnx.ModelProto:
    """BERT as torch's exporter writes it: MatMul with the bias added, GELU by Erf, the mask added to the scores."""
    table = {key.removeprefix("bert."): value.astype(np.float32) for key, value in load_file(weights).items()}
    graph = Graph()

    def w(name: str) -> str:
        return graph.weight(name, table[name])

    def dense(x: str, name: str) -> str:
        product = graph.add("MatMul", x, graph.weight(f"{name}.weight", table[f"{name}.weight"].T))
        return graph.add("Add", w(f"{name}.bias"), product)

    def norm(x: str, name: str) -> str:
        return graph.add("LayerNormalization", x, w(f"{name}.weight"), w(f"{name}.bias"), axis=-1, epsilon=1e-12)

    one, lowest = np.float32(1), np.float32(np.finfo(np.float32).min)
    mask = graph.add("Unsqueeze", "attention_mask", np.array([1, 2]))
    mask = graph.add("Cast", mask, to=TensorProto.FLOAT)
    mask = graph.add("Mul", graph.add("Sub", one, mask), lowest)

    tokens = graph.add("Gather", w("embeddings.word_embeddings.weight"), "input_ids")
    types = graph.add("Gather", w("embeddings.token_type_embeddings.weight"), "token_type_ids")
    length = graph.add("Gather", graph.add("Shape", "input_ids"), np.array([1]))
    positions = graph.weight("embeddings.position_ids", np.arange(512)[None])
    positions = graph.add("Slice", positions, np.array([0]), length, np.array([1]))
    places = graph.add("Gather", w("embeddings.position_embeddings.weight"), positions)
    x = graph.add("Add", graph.add("Add", tokens, types), places)
    x = norm(x, "embeddings.LayerNorm")

    split, joined = np.array([0, 0, HEADS, WIDTH // HEADS]), np.array([0, 0, WIDTH])
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"

        def heads(name: str, order: list[int]) -> str:
            projected = dense(x, f"{at}.attention.self.{name}")
            return graph.add("Transpose", graph.add("Reshape", projected, split), perm=order)

        scores = graph.add("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
        scores = graph.add("Div", scores, np.float32(np.sqrt(WIDTH // HEADS)))
        chances = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
        context = graph.add("MatMul", chances, heads("value", [0, 2, 1, 3]))
        context = graph.add("Reshape", graph.add("Transpose", context, perm=[0, 2, 1, 3]), joined)
        attended = graph.add("Add", dense(context, f"{at}.attention.output.dense"), x)
        x = norm(attended, f"{at}.attention.output.LayerNorm")
        wide = dense(x, f"{at}.intermediate.dense")
        erf = graph.add("Erf", graph.add("Div", wide, np.float32(np.sqrt(2))))
        wide = graph.add("Mul", graph.add("Mul", wide, graph.add("Add", erf, one)), np.float32(0.5))
        x = norm(graph.add("Add", dense(wide, f"{at}.output.dense"), x), f"{at}.output.LayerNorm")

    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    return graph.model("minilm", inputs, (x, "last_hidden_state", ["batch", "sequence", WIDTH]))


# Expansion, channels, blocks, first stride (Sandler et al. 2018, table 2).
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet(weights: Path) -> onnx.ModelProto:
    """MobileNetV2 at width 1.0 from Keras's weights, NCHW, pixels in [-1, 1] -> the classes' logits."""
    graph = Graph()
    with h5py.File(weights) as opened:
        groups = opened["model_weights"]
        base = next(groups[name] for name in groups if name.startswith("mobilenetv2"))
        layers = {name: {key: np.array(value) for key, value in base[name].items()} for name in base}
        dense = {key: np.array(value) for key, value in groups["dense/dense"].items()}

    def conv(x: str, name: str, bn: str, stride: int, relu6: bool, depthwise: bool = False) -> str:
        kernel, stats = layers[name]["kernel"], layers[bn]
        scale = stats["gamma"] / np.sqrt(stats["moving_variance"] + 1e-3)
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(3, 2, 0, 1)
        side = kernel.shape[2]
        # Keras pads strided convolutions at the end only.
        pads = [0, 0, 0, 0] if side == 1 else [0, 0, 1, 1] if stride == 2 else [1, 1, 1, 1]
        folded = graph.weight(f"{name}.weight", (kernel * scale[:, None, None, None]).astype(np.float32))
        bias = graph.weight(f"{name}.bias", (stats["beta"] - stats["moving_mean"] * scale).astype(np.float32))
        group = kernel.shape[0] if depthwise else 1
        shape = {"kernel_shape": [side, side], "strides": [stride, stride], "pads": pads, "group": group}
        x = graph.add("Conv", x, folded, bias, **shape)
        return graph.add("Clip", x, np.float32(0), np.float32(6)) if relu6 else x

    x = conv("image", "Conv1", "bn_Conv1", 2, True)
    block = 0
    for expansion, channels, count, first in STAGES:
        for index in range(count):
            name = f"block_{block}" if block else "expanded_conv"
            stride, given = first if index == 0 else 1, x
            if expansion > 1:
                x = conv(x, f"{name}_expand", f"{name}_expand_BN", 1, True)
            x = conv(x, f"{name}_depthwise", f"{name}_depthwise_BN", stride, True, depthwise=True)
            x = conv(x, f"{name}_project", f"{name}_project_BN", 1, False)
            if index:
                x = graph.add("Add", given, x)
            block += 1
    x = conv(x, "Conv_1", "Conv_1_bn", 1, True)
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    logits = graph.add("Gemm", x, graph.weight("dense.weight", dense["kernel"]), graph.weight("dense.bias", dense["bias"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 224, 224])
    return graph.model("mobilenet-v2", [image], (logits, "logits", ["batch", len(dense["bias"])]))


def flops(path: Path, given: dict[str, tuple[int, ...]]) -> int:
    """Two for each multiplication and addition of the graph's matrix products and convolutions."""
    model = onnx.load(str(path))
    for entry in model.graph.input:
        # Twice the batch: one would broadcast with sizes that are not inferred.
        batch, *rest = given[entry.name]
        for dim, size in zip(entry.type.tensor_type.shape.dim, (2 * batch, *rest), strict=True):
            dim.Clear()
            dim.dim_value = size
    del model.graph.value_info[:]
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for entry in [*model.graph.input, *model.graph.value_info, *model.graph.output]:
        shapes[entry.name] = [dim.dim_value for dim in entry.type.tensor_type.shape.dim]
    total = 0
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            inner = shapes[node.input[0]][-1]
        elif node.op_type == "Conv":
            inner = int(np.prod(shapes[node.input[1]][1:]))
        else:
            continue
        total += 2 * int(np.prod(shapes[node.output[0]])) * inner
    return total // 2
