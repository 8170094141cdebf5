"""Folders of graphs that are there as ONNX, and lack what Hugging Face's tools write beside them, or its names."""

from pathlib import Path

import onnx
from onnx import compose, helper

from graph import FLOAT, labels, save, write


def renamed(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for port in [*graph.input, *graph.output]:
        port.name = new if port.name == old else port.name


def encoder(sources: dict[str, bytes], folder: Path) -> None:
    """The vectors of all tokens: the mean of them, with which the graph ends, is what a pipeline takes itself."""
    graph = onnx.load_model_from_string(sources["encoder"]).graph
    (mean,) = (node for node in graph.node if node.output[0] == graph.output[0].name)
    if mean.op_type != "ReduceMean":
        raise ValueError("the graph does not end with a mean")
    graph.node.remove(mean)
    renamed(graph, mean.input[0], "last_hidden_state")
    del graph.output[:], graph.value_info[:]
    shape = ["batch", "tokens", 384]
    graph.output.append(helper.make_tensor_value_info("last_hidden_state", FLOAT, shape))
    save(graph, folder / "onnx/model_quantized.onnx")


def sentiment(sources: dict[str, bytes], folder: Path) -> None:
    """The same encoder with the head that reads the mean of its vectors."""
    first, head = (onnx.load_model_from_string(sources[name]) for name in ("encoder", "head"))
    inner, outer = first.graph.output[0].name, head.graph.input[0].name
    graph = compose.merge_graphs(first.graph, head.graph, [(inner, outer)])
    save(graph, folder / "onnx/model_quantized.onnx")


def orientation(sources: dict[str, bytes], folder: Path) -> None:
    """Which way a page is turned. The softmax at its end is what a pipeline takes itself."""
    model = onnx.load_model_from_string(sources["weights"])
    graph = model.graph
    (last,) = (node for node in graph.node if graph.output[0].name in node.output)
    if last.op_type == "Identity":  # of the output alone
        graph.node.remove(last)
        (last,) = (node for node in graph.node if last.input[0] in node.output)
    if last.op_type != "Softmax":
        raise ValueError("the graph does not end with a softmax")
    graph.node.remove(last)
    renamed(graph, last.input[0], "logits")
    renamed(graph, graph.input[0].name, "pixel_values")
    del graph.output[:], graph.value_info[:]
    graph.output.append(helper.make_tensor_value_info("logits", FLOAT, ["batch_size", 4]))
    save(graph, folder / "onnx/model.onnx", model.opset_import[0].version)
    config = {
        "model_type": "efficientnet",
        "architectures": ["EfficientNetForImageClassification"],
        "note": "PP-LCNet, not EfficientNet: the type only tells the input",
        "image_size": 224,
        **labels(["0", "90", "180", "270"]),
    }
    write(folder / "config.json", config)
    preprocessing = {
        "image_processor_type": "ViTFeatureExtractor",
        "do_resize": True,
        "size": {"shortest_edge": 256},
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "do_convert_rgb": True,
    }
    write(folder / "preprocessor_config.json", preprocessing)
