"""tox-block, six kinds of toxicity: a two-way LSTM over whole words, from a Keras file and a pickled list of words."""

import io
from pathlib import Path

import h5py
import numpy as np

from checkpoints import pickled
from graph import FLOAT, Graph, labels, tokens, write
from tokenizer_files import special, tokenizer, words

LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
# What Keras' tokenizer takes out of a text.
PUNCTUATION = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\t\n]"""
CLASSES = [
    ("tox_block.data_processing.preprocessors", "TokenSequencer"),
    ("keras_preprocessing.text", "Tokenizer"),
]


def classifier(sources: dict[str, bytes], folder: Path) -> None:
    known = network(sources["weights"], folder / "onnx/model.onnx")
    index = word_index(pickled(sources["words"], CLASSES))
    vocabulary = {"[PAD]": 0} | {word: at for word, at in index.items() if at < known} | {"[UNK]": known}
    lower = {"type": "Lowercase"}
    spaces = {"type": "Replace", "pattern": {"Regex": PUNCTUATION}, "content": " "}
    normalizer = {"type": "Sequence", "normalizers": [lower, spaces]}
    # No word goes on with these letters, so none is ever looked up in pieces.
    model = words(vocabulary, "\x01\x01", 1000)
    added = special(vocabulary, ["[PAD]", "[UNK]"])
    write(folder / "tokenizer.json", tokenizer(added, normalizer, {"type": "WhitespaceSplit"}, None, None, model))
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "padding_side": "left",
        "model_max_length": 100,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids"],
    }
    write(folder / "tokenizer_config.json", tokenizer_config)
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "note": "a two-way LSTM, not BERT: the type only tells the inputs",
        "problem_type": "multi_label_classification",
        "vocab_size": known + 1,
        "max_position_embeddings": 100,
        "pad_token_id": 0,
        **labels(LABELS),
    }
    write(folder / "config.json", config)


def word_index(tree) -> dict[str, int]:
    """The words' numbers, wherever in the pickle they are."""
    waiting, seen = [tree], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict) and "word_index" in part:
            return part["word_index"]
        if hasattr(part, "state"):
            waiting.append(part.state)
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
        elif isinstance(part, dict) and len(part) < 100:
            waiting.extend(part.values())
    raise ValueError("the pickle has no words")


def network(content: bytes, path: Path) -> int:
    """Writes the graph, and gives the number of words that it knows."""
    weights: dict[str, np.ndarray] = {}
    keep = lambda name, node: weights.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None
    with h5py.File(io.BytesIO(content)) as file:
        file["model_weights"].visititems(keep)

    def of(*parts: str) -> np.ndarray:
        (found,) = (value for name, value in weights.items() if all(part in name for part in parts))
        return found

    graph = Graph()
    table = of("embeddings")
    # Upstream leaves out unknown words. A token that is as the padding is nearest to that.
    x = graph.add("Gather", graph.weight(np.concatenate([table, table[:1]])), "input_ids")
    # Keras has the gates in the order input, forget, cell, output; ONNX input, output, forget, cell.
    gates = lambda value: np.concatenate([np.split(value, 4, axis=-1)[at] for at in (0, 3, 1, 2)], axis=-1)
    ways = ("forward", "backward")
    units = of("forward", "/recurrent_kernel").shape[0]
    kernels = np.stack([gates(of(way, "/kernel")).T for way in ways])
    recurrent = np.stack([gates(of(way, "/recurrent_kernel")).T for way in ways])
    biases = np.stack([np.concatenate([gates(of(way, "/bias")), np.zeros(4 * units, np.float32)]) for way in ways])
    x = graph.add("Transpose", x, perm=[1, 0, 2])
    how = {"direction": "bidirectional", "hidden_size": units}
    x = graph.add("LSTM", x, graph.weight(kernels), graph.weight(recurrent), graph.weight(biases), **how)
    x = graph.add("Transpose", graph.add("ReduceMax", x, axes=[0], keepdims=0), perm=[1, 0, 2])
    x = graph.add("Reshape", x, graph.ints(-1, 2 * units))
    first, last = sorted({name.split("/")[0] for name in weights if name.startswith("dense")}, key=lambda n: (len(n), n))
    dense = lambda x, name, out=None: graph.linear(x, of(f"{name}/", "/kernel").T, of(f"{name}/", "/bias"), out=out)
    dense(graph.add("Relu", dense(x, first)), last, "logits")
    graph.save(path, [tokens("input_ids")], [("logits", FLOAT, ["batch_size", len(LABELS)])])
    return len(table)
