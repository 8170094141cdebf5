"""NanoDet, the 80 things of COCO, from a graph of TensorFlow.js; decoding and suppression are a part of the graph.

The graph came from ONNX to TensorFlow on its way, so that every convolution stands between two transpositions. Here a
transposition is only remembered; where the next one undoes it, nothing is left of either.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np

from graph import FLOAT, Graph, labels, write

SIZE, MOST, BINS = 416, 100, 11
# Where the suppression of overlapping boxes begins, as upstream has it.
OVERLAP = 0.6
MEAN, DEVIATION = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
# Scores and distances of each grid, with its stride.
GRIDS = [("Identity", "Identity_3", 8), ("Identity_1", "Identity_4", 16), ("Identity_2", "Identity_5", 32)]
FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
COCO = """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,
bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,
sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,
banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,
laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,
hair drier,toothbrush"""


class Reader:
    """Writes what the outputs of a graph of TensorFlow.js are computed by into `graph`."""

    def __init__(self, graph: Graph, topology: dict, data: bytes) -> None:
        self.graph = graph
        self.nodes = {node["name"]: node for node in topology["modelTopology"]["node"]}
        self.constants = constants(topology, data)
        # What was written: a name, and the transposition that would have to follow.
        self.written: dict[str, tuple[str, list[int] | None]] = {}

    def const(self, name: str) -> np.ndarray | None:
        """A value that does not depend on the input."""
        node = self.nodes.get(name)
        if name not in self.constants and node and node["op"] in ("SparseToDense", "AddV2"):
            parts = [self.const(part) for part in node["input"]]
            if any(part is None for part in parts):
                return None
            if node["op"] == "SparseToDense" and parts[0].size:
                raise ValueError(f"{name} has values at places")
            self.constants[name] = parts[0] + parts[1] if node["op"] == "AddV2" else np.full(parts[1], parts[3])
        return self.constants.get(name)

    def plain(self, name: str, wanted: list[int] | None = None) -> str:
        """A value with its axes in this order of the original's."""
        value, order = self.value(name)
        order = [order[axis] for axis in wanted] if order and wanted else order or wanted
        return self.graph.add("Transpose", value, perm=order) if order and order != sorted(order) else value

    def value(self, name: str) -> tuple[str, list[int] | None]:
        if name not in self.written:
            base = name.partition(":")[0]
            self.written[base] = self.node(self.nodes[base])
        return self.written[name]

    def node(self, node: dict) -> tuple[str, list[int] | None]:
        graph, kind, inputs, attributes = self.graph, node["op"], node["input"], node.get("attr", {})
        ints = lambda key: [int(n) for n in attributes[key]["list"]["i"]]
        if kind in ("Conv2D", "MaxPool"):
            if base64.b64decode(attributes["padding"]["s"]) != b"VALID":
                raise ValueError(f"{node['name']} pads")
            x, strides = self.plain(inputs[0], FIRST), ints("strides")[1:3]
            if kind == "MaxPool":
                return graph.add("MaxPool", x, kernel_shape=ints("ksize")[1:3], strides=strides), LAST
            kernel = self.const(inputs[1]).transpose(3, 2, 0, 1)
            return graph.add("Conv", x, graph.weight(kernel), kernel_shape=kernel.shape[2:], strides=strides), LAST
        if kind == "ResizeBilinear":
            if not attributes["half_pixel_centers"]["b"] or attributes["align_corners"]["b"]:
                raise ValueError(f"{node['name']} resizes in another way")
            x = self.plain(inputs[0], FIRST)
            ends = graph.add("Slice", graph.add("Shape", x), graph.ints(0), graph.ints(2))
            shape = graph.add("Concat", ends, graph.weight(self.const(inputs[1]).astype(np.int64)), axis=0)
            how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            return graph.add("Resize", x, "", "", shape, **how), LAST
        if kind == "Transpose":
            value, order = self.value(inputs[0])
            perm = [int(axis) for axis in self.const(inputs[1])]
            order = [order[axis] for axis in perm] if order else perm
            return value, None if order == sorted(order) else order
        if kind in ("LeakyRelu", "Sigmoid", "Identity"):
            value, order = self.value(inputs[0])
            how = {"alpha": attributes["alpha"]["f"]} if kind == "LeakyRelu" else {}
            return (value if kind == "Identity" else graph.add(kind, value, **how)), order
        if kind == "Add" and self.const(inputs[1]) is not None and self.value(inputs[0])[1] == LAST:
            bias = self.const(inputs[1]).reshape(-1, 1, 1)
            return graph.add("Add", self.value(inputs[0])[0], graph.weight(bias)), LAST
        if kind == "Add":
            (a, one), (b, two) = (self.value(name) for name in inputs)
            return (graph.add("Add", a, b), one) if one == two else (graph.add("Add", *map(self.plain, inputs)), None)
        if kind in ("Pad", "PadV2"):
            pads = self.const(inputs[1]).T.astype(np.int64)
            filled = self.const(inputs[2]) if kind == "PadV2" else 0
            return graph.add("Pad", self.plain(inputs[0]), graph.weight(pads.reshape(-1)), graph.floats(filled)), None
        if kind == "ConcatV2":
            *parts, axis = inputs
            return graph.add("Concat", *map(self.plain, parts), axis=int(self.const(axis))), None
        if kind == "Reshape":
            return graph.add("Reshape", self.plain(inputs[0]), graph.weight(self.const(inputs[1]).astype(np.int64))), None
        if kind == "SplitV":
            lengths, axis = self.const(inputs[1]).astype(np.int64), int(self.const(inputs[2]))
            outs = [f"split_{node['name']}_{at}" for at in range(len(lengths))]
            graph.add("Split", self.plain(inputs[0]), graph.weight(lengths), out=outs, axis=axis)
            self.written.update({f"{node['name']}:{at}": (out, None) for at, out in enumerate(outs)})
            return outs[0], None
        raise ValueError(f"{node['name']}: {kind} is not read")


def constants(topology: dict, data: bytes) -> dict[str, np.ndarray]:
    found, at = {}, 0
    for weight in topology["weightsManifest"][0]["weights"]:
        stored = np.dtype(weight["quantization"]["dtype"] if "quantization" in weight else weight["dtype"])
        count = int(np.prod(weight["shape"]))
        numbers = np.frombuffer(data, stored, count, at).reshape(weight["shape"])
        found[weight["name"]] = numbers.astype(weight["dtype"])
        at += count * stored.itemsize
    return found


def detector(sources: dict[str, bytes], folder: Path) -> None:
    graph = Graph()
    # A node asks for its inputs first, and the network is deep.
    sys.setrecursionlimit(10_000)
    reader = Reader(graph, json.loads(sources["graph"]), sources["weights"])
    reader.written["input_1"] = (normalized(graph), None)
    raw = [(reader.plain(scores), reader.plain(distances), stride) for scores, distances, stride in GRIDS]
    decoded(graph, raw)
    given = [("logits", FLOAT, [1, MOST, 81]), ("pred_boxes", FLOAT, [1, MOST, 4])]
    graph.save(folder / "onnx/model.onnx", [("pixel_values", FLOAT, [1, 3, SIZE, SIZE])], given)
    config = {
        "model_type": "yolos",
        "architectures": ["YolosForObjectDetection"],
        "note": "NanoDet with decoding and suppression inside, not YOLOS: the type only tells the shape of the outputs",
        "image_size": [SIZE, SIZE],
        **labels(COCO.replace("\n", "").split(",")),
    }
    write(folder / "config.json", config)
    preprocessing = {
        "image_processor_type": "YolosFeatureExtractor",
        "feature_extractor_type": "YolosFeatureExtractor",
        "do_resize": True,
        "size": {"height": SIZE, "width": SIZE},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": False,
        "do_pad": False,
        "do_convert_rgb": True,
    }
    write(folder / "preprocessor_config.json", preprocessing)


def normalized(graph: Graph) -> str:
    """What the network reads of red, green and blue from 0 to 1: blue, green and red, less their mean."""
    x = graph.add("Gather", "pixel_values", graph.ints(2, 1, 0), axis=1)
    x = graph.add("Sub", x, graph.floats(MEAN[:, None, None] / 255))
    return graph.add("Mul", x, graph.floats(255 / DEVIATION[:, None, None]))


def decoded(graph: Graph, raw: list[tuple[str, str, int]]) -> None:
    """Of the grids the likeliest places, as logits of 80 labels and of none, and as boxes from 0 to 1."""
    all_scores, all_boxes = [], []
    for scores, distances, stride in raw:
        side = SIZE // stride
        y = graph.add("Transpose", graph.add("Reshape", scores, graph.ints(1, side, side, 80)), perm=FIRST)
        # Only what is not less than its neighbours is kept: most of the suppression is done by this.
        around = graph.add("MaxPool", y, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
        y = graph.add("Mul", y, graph.add("Cast", graph.add("Equal", around, y), to=FLOAT))
        all_scores.append(graph.add("Reshape", graph.add("Transpose", y, perm=LAST), graph.ints(side * side, 80)))
        y = graph.add("Softmax", graph.add("Reshape", distances, graph.ints(side * side, 4, BINS)), axis=-1)
        y = graph.add("MatMul", y, graph.floats(np.arange(BINS)[:, None] * stride))
        y = graph.add("Mul", graph.add("Reshape", y, graph.ints(side * side, 4)), graph.floats([-1, -1, 1, 1]))
        rows, columns = np.mgrid[0:side, 0:side]
        centres = np.stack([columns.ravel(), rows.ravel()] * 2, 1) * stride + stride / 2
        all_boxes.append(graph.add("Add", y, graph.floats(centres)))
    scores, boxes = graph.add("Concat", *all_scores, axis=0), graph.add("Concat", *all_boxes, axis=0)
    best = graph.add("ReduceMax", scores, axes=[1], keepdims=0)
    graph.add("TopK", best, graph.ints(MOST), out=["score", "place"], axis=0)
    label = graph.add("Gather", graph.add("ArgMax", scores, axis=1, keepdims=0), "place", axis=0)
    boxes = graph.add("Clip", graph.add("Gather", boxes, "place", axis=0), graph.floats(0), graph.floats(SIZE))
    begin, end = (graph.add("Slice", boxes, graph.ints(at), graph.ints(at + 2), graph.ints(1)) for at in (0, 2))
    size = graph.add("Sub", end, begin)
    kept = graph.add("Sub", graph.floats(1), suppressed(graph, label, begin, end, size))
    score = graph.add("Clip", graph.add("Mul", "score", kept), graph.floats(1e-6), graph.floats(1 - 1e-6))
    score = graph.add("Reshape", score, graph.ints(1, MOST, 1))
    # A softmax of these gives the score back; the rest is spread evenly over the other labels and over none.
    rest = graph.add("Log", graph.add("Div", graph.add("Sub", graph.floats(1), score), graph.floats(80)))
    hit = graph.add("Equal", graph.add("Reshape", label, graph.ints(1, MOST, 1)), graph.ints(*range(80)))
    found = graph.add("Where", hit, graph.add("Log", score), rest)
    gone = graph.add("Reshape", graph.add("Sub", graph.floats(1), kept), graph.ints(1, MOST, 1))
    none = graph.add("Add", rest, graph.add("Mul", gone, graph.floats(20)))
    graph.add("Concat", found, none, axis=2, out="logits")
    centre = graph.add("Mul", graph.add("Add", begin, end), graph.floats(0.5 / SIZE))
    boxes = graph.add("Concat", centre, graph.add("Mul", size, graph.floats(1 / SIZE)), axis=1)
    graph.add("Unsqueeze", boxes, graph.ints(0), out="pred_boxes")


def suppressed(graph: Graph, label: str, begin: str, end: str, size: str) -> str:
    """1 for each box that overlaps a likelier one of the same label too much."""
    down, across = (lambda x: graph.add("Unsqueeze", x, graph.ints(1))), (lambda x: graph.add("Unsqueeze", x, graph.ints(0)))
    column = lambda x, at, axis: graph.add("Gather", x, graph.weight(np.int64(at)), axis=axis)
    shared = graph.add("Sub", graph.add("Min", down(end), across(end)), graph.add("Max", down(begin), across(begin)))
    shared = graph.add("Clip", shared, graph.floats(0))
    shared = graph.add("Mul", column(shared, 0, 2), column(shared, 1, 2))
    area = graph.add("Mul", column(size, 0, 1), column(size, 1, 1))
    union = graph.add("Sub", graph.add("Add", down(area), across(area)), shared)
    overlap = graph.add("Div", shared, graph.add("Add", union, graph.floats(1e-6)))
    same = graph.add("Cast", graph.add("Equal", down(label), across(label)), to=FLOAT)
    likelier = graph.floats(np.triu(np.ones((MOST, MOST)), 1))
    worst = graph.add("Mul", graph.add("Mul", overlap, same), likelier)
    worst = graph.add("ReduceMax", worst, axes=[0], keepdims=0)
    return graph.add("Cast", graph.add("Greater", worst, graph.floats(OVERLAP)), to=FLOAT)
