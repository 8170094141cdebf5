"""EfficientNet-lite0 of ImageNet, from a PyTorch checkpoint: as a classifier, and without its last layer."""

import json
from pathlib import Path

import numpy as np

from checkpoints import torch
from graph import FLOAT, Graph, labels, write

# How often a block is repeated, its first stride, how much wider it is inside, and its filters.
BLOCKS = [(1, 1, 1, 16), (2, 2, 6, 24), (2, 2, 6, 40), (3, 2, 6, 80), (3, 1, 6, 112), (4, 2, 6, 192), (1, 1, 6, 320)]
PICTURES = ("pixel_values", FLOAT, ["batch_size", 3, 224, 224])
PREPROCESSING = {
    "image_processor_type": "ViTFeatureExtractor",
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
    "do_convert_rgb": True,
}


def body(weights: dict[str, np.ndarray], graph: Graph) -> str:
    def conv(x: str, name: str, norm: str, stride: int = 1, group: int = 1, clip: bool = True) -> str:
        kernel = weights[f"{name}.weight"]
        # The normalisation behind a convolution is a factor and an addend of it.
        factor = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + np.float32(1e-3))
        addend = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * factor
        parts = [graph.weight(kernel * factor[:, None, None, None]), graph.weight(addend)]
        how = {"kernel_shape": kernel.shape[2:], "strides": [stride] * 2, "group": group, "auto_pad": "SAME_UPPER"}
        x = graph.add("Conv", x, *parts, **how)
        return graph.add("Clip", x, graph.floats(0), graph.floats(6)) if clip else x

    x = conv("pixel_values", "_conv_stem", "_bn0", 2)
    at, filters = 0, 32
    for repeats, first, wider, out in BLOCKS:
        for stride in [first, *[1] * (repeats - 1)]:
            block = f"_blocks.{at}."
            y = conv(x, f"{block}_expand_conv", f"{block}_bn0") if wider > 1 else x
            y = conv(y, f"{block}_depthwise_conv", f"{block}_bn1", stride, filters * wider)
            y = conv(y, f"{block}_project_conv", f"{block}_bn2", clip=False)
            x = graph.add("Add", y, x) if stride == 1 and filters == out else y
            at, filters = at + 1, out
    return conv(x, "_conv_head", "_bn1")


def numbered(names: list[str]) -> list[str]:
    """ImageNet has two cranes and two maillots: labels must differ."""
    return [f"{name} (2)" if name in names[:at] else name for at, name in enumerate(names)]


def classifier(sources: dict[str, bytes], folder: Path) -> None:
    weights, graph = torch(sources["weights"]), Graph()
    x = graph.add("Flatten", graph.add("GlobalAveragePool", body(weights, graph)), axis=1)
    last = [graph.weight(weights["_fc.weight"]), graph.weight(weights["_fc.bias"])]
    graph.add("Gemm", x, *last, transB=1, out="logits")
    graph.save(folder / "onnx/model.onnx", [PICTURES], [("logits", FLOAT, ["batch_size", 1000])])
    names = numbered(json.loads(sources["labels"]))
    kind = {"model_type": "efficientnet", "architectures": ["EfficientNetForImageClassification"]}
    write(folder / "config.json", {**kind, "image_size": 224, "num_channels": 3, **labels(names)})
    write(folder / "preprocessor_config.json", PREPROCESSING)


def features(sources: dict[str, bytes], folder: Path) -> None:
    weights, graph = torch(sources["weights"]), Graph()
    graph.add("Identity", body(weights, graph), out="last_hidden_state")
    graph.add("Flatten", graph.add("GlobalAveragePool", "last_hidden_state"), axis=1, out="pooler_output")
    given = [("last_hidden_state", FLOAT, ["batch_size", 1280, 7, 7]), ("pooler_output", FLOAT, ["batch_size", 1280])]
    graph.save(folder / "onnx/model.onnx", [PICTURES], given)
    kind = {"model_type": "efficientnet", "architectures": ["EfficientNetModel"]}
    write(folder / "config.json", {**kind, "image_size": 224, "num_channels": 3, "hidden_dim": 1280})
    write(folder / "preprocessor_config.json", PREPROCESSING)
