"""musicnn, fifty tags of music, from a TensorFlow checkpoint; samples in, with librosa's mel spectrogram in the graph."""

import ast
from pathlib import Path

import numpy as np

from checkpoints import tensorflow
from graph import FLOAT, Graph, labels, write

RATE, WINDOW, HOP, BANDS = 16000, 512, 256, 96
HEIGHTS = [7, 7, 128, 64, 32]


def tagger(sources: dict[str, bytes], folder: Path) -> None:
    weights = tensorflow(sources["index"], sources["weights"])
    network({name.removeprefix("model/"): value for name, value in weights.items()}, folder / "onnx/model.onnx")
    config = {
        "model_type": "wav2vec2",
        "architectures": ["Wav2Vec2ForSequenceClassification"],
        "note": "musicnn with its mel spectrogram inside, not wav2vec2: the type only tells the input",
        "problem_type": "multi_label_classification",
        **labels(literal(sources["configuration"].decode(), "MSD_LABELS")),
    }
    write(folder / "config.json", config)
    preprocessing = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": RATE,
        "padding_value": 0.0,
        "do_normalize": False,
        "return_attention_mask": False,
    }
    write(folder / "preprocessor_config.json", preprocessing)


def literal(code: str, name: str) -> list[str]:
    """What a module's code sets a name to. Nothing is run."""
    for line in ast.parse(code).body:
        if isinstance(line, ast.Assign) and line.targets[0].id == name:
            return ast.literal_eval(line.value)
    raise ValueError(f"there is no {name}")


def mel() -> np.ndarray:
    """Slaney's filters, [bands, frequencies]: below 1 kHz as far apart as hertz, above as their logarithms."""
    step = np.log(6.4) / 27
    to_mel = lambda hertz: hertz * 3 / 200 if hertz < 1000 else 15 + np.log(hertz / 1000) / step
    to_hertz = lambda mels: np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((np.maximum(mels, 15) - 15) * step))
    edges = to_hertz(np.linspace(0, to_mel(RATE / 2), BANDS + 2))
    ramps = np.arange(WINDOW // 2 + 1) * RATE / WINDOW - edges[:, None]
    widths = np.diff(edges)[:, None]
    filters = np.maximum(0, np.minimum(ramps[:-2] / widths[:-1], -ramps[2:] / widths[1:]))
    return filters * (2 / (edges[2:] - edges[:-2]))[:, None]


def spectrogram(graph: Graph) -> str:
    """The logarithm of the mel spectrogram, [batch, 1, time, bands]. A Fourier transform is a convolution."""
    times = np.arange(WINDOW)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * times / WINDOW)
    half = WINDOW // 2 + 1
    angles = 2 * np.pi * np.arange(half)[:, None] * times / WINDOW
    waves = np.concatenate([np.cos(angles) * hann, -np.sin(angles) * hann])[:, None]
    x = graph.add("Unsqueeze", "input_values", graph.ints(1))
    x = graph.add("Pad", x, graph.ints(0, 0, WINDOW // 2, 0, 0, WINDOW // 2), mode="reflect")
    x = graph.add("Conv", x, graph.floats(waves), strides=[HOP], kernel_shape=[WINDOW])
    x = graph.add("Mul", x, x)
    parts = [graph.add("Slice", x, graph.ints(at), graph.ints(at + half), graph.ints(1)) for at in (0, half)]
    x = graph.add("MatMul", graph.floats(mel()), graph.add("Add", *parts))
    x = graph.add("Log", graph.add("Add", graph.add("Mul", x, graph.floats(10000)), graph.floats(1)))
    x = graph.add("Mul", x, graph.floats(1 / np.log(10)))
    return graph.add("Unsqueeze", graph.add("Transpose", x, perm=[0, 2, 1]), graph.ints(1))


def network(weights: dict[str, np.ndarray], path: Path) -> None:
    graph = Graph()
    # TensorFlow numbers layers of the same kind, the first without a number.
    named = lambda name, at: name if at == 0 else f"{name}_{at}"

    def norm(x: str, at: int, shape: list[int]) -> str:
        part = lambda name: weights[f"{named('batch_normalization', at)}/{name}"]
        factor = part("gamma") / np.sqrt(part("moving_variance") + np.float32(1e-3))
        addend = part("beta") - part("moving_mean") * factor
        x = graph.add("Mul", x, graph.weight(factor.reshape(shape)))
        return graph.add("Add", x, graph.weight(addend.reshape(shape)))

    def conv(x: str, at: int, pads: list[int]) -> str:
        kernel = weights[f"{named('conv2d', at)}/kernel"].transpose(3, 2, 0, 1)
        bias = graph.weight(weights[f"{named('conv2d', at)}/bias"])
        x = graph.add("Conv", x, graph.weight(kernel), bias, kernel_shape=kernel.shape[2:], pads=pads)
        return norm(graph.add("Relu", x), at + 1, [-1, 1, 1])

    def dense(x: str, at: int, out: str | None = None) -> str:
        name = named("dense", at)
        return graph.linear(x, weights[f"{name}/kernel"].T, weights[f"{name}/bias"], out=out)

    x = norm(spectrogram(graph), 0, [1])
    front = []
    for at, height in enumerate(HEIGHTS):
        pads = [3, 0, 3, 0] if at < 2 else [(height - 1) // 2, 0, height // 2, 0]
        y = graph.add("ReduceMax", conv(x, at, pads), axes=[3], keepdims=0)
        front.append(graph.add("Transpose", y, perm=[0, 2, 1]))
    first = graph.add("Unsqueeze", graph.add("Concat", *front, axis=2), graph.ints(1))
    middle = lambda x, at: graph.add("Transpose", conv(x, at, [3, 0, 3, 0]), perm=[0, 3, 2, 1])
    second = middle(first, 5)
    third = graph.add("Add", middle(second, 6), second)
    fourth = graph.add("Add", middle(third, 7), third)
    x = graph.add("Concat", first, second, third, fourth, axis=3)
    most = graph.add("ReduceMax", x, axes=[1, 2], keepdims=0)
    mean = graph.add("ReduceMean", x, axes=[1, 2], keepdims=0)
    both = [graph.add("Unsqueeze", y, graph.ints(2)) for y in (most, mean)]
    x = norm(graph.add("Flatten", graph.add("Concat", *both, axis=2), axis=1), 9, [-1])
    x = norm(graph.add("Relu", dense(x, 0)), 10, [-1])
    dense(x, 1, "logits")
    graph.save(path, [("input_values", FLOAT, ["batch_size", "samples"])], [("logits", FLOAT, ["batch_size", 50])])
