"""rxnmapper's ALBERT with its head for masked tokens: it writes chemical reactions, token by token of SMILES."""

import json
import re
from pathlib import Path

import numpy as np

from checkpoints import torch
from graph import FLOAT, Graph, tokens, write
from tokenizer_files import special, split, template, tokenizer, words

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def gelu(graph: Graph, x: str) -> str:
    erf = graph.add("Erf", graph.add("Mul", x, graph.floats(2**-0.5)))
    return graph.add("Mul", graph.add("Mul", x, graph.add("Add", erf, graph.floats(1))), graph.floats(0.5))


def masked(sources: dict[str, bytes], folder: Path) -> None:
    weights, config = torch(sources["weights"]), json.loads(sources["config"])
    if config["hidden_act"] != "gelu":
        raise ValueError("another activation than the one that is written here")
    network(weights, config, folder / "onnx/model.onnx")
    for name in ("config", "special_tokens_map"):
        (folder / f"{name}.json").write_bytes(sources[name])
    (folder / "vocab.txt").write_bytes(sources["vocab"])
    vocabulary = {token: at for at, token in enumerate(sources["vocab"].decode().splitlines())}
    # The package's own expression, which is the only string of that line.
    line = re.search(r'^SMI_REGEX_PATTERN = r"(.*)"$', sources["smiles"].decode(), re.MULTILINE)
    ends = template(vocabulary, ["[CLS]"], ["[SEP]"])
    model = words(vocabulary, "##", 100)
    made = tokenizer(special(vocabulary, MARKS), None, split(line[1]), ends, {"type": "Fuse"}, model)
    write(folder / "tokenizer.json", made)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), MARKS))
    rest = {"model_max_length": 512, "clean_up_tokenization_spaces": False}
    write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names, **rest})


def network(weights: dict[str, np.ndarray], config: dict, path: Path) -> None:
    graph, epsilon = Graph(), config["layer_norm_eps"]
    width, heads = config["hidden_size"], config["num_attention_heads"]
    named = lambda name: (weights[f"{name}.weight"], weights[f"{name}.bias"])
    layer = lambda x, name: graph.linear(x, *named(name))
    norm = lambda x, name: graph.norm(x, *named(name), epsilon)
    at = "albert.embeddings."
    table = graph.weight(weights[f"{at}word_embeddings.weight"])
    length = graph.add("Gather", graph.add("Shape", "input_ids"), graph.ints(1), axis=0)
    positions = graph.weight(weights[f"{at}position_embeddings.weight"])
    places = graph.add("Slice", positions, graph.ints(0), length, graph.ints(0))
    kinds = graph.add("Gather", graph.weight(weights[f"{at}token_type_embeddings.weight"]), "token_type_ids")
    x = graph.add("Add", graph.add("Add", graph.add("Gather", table, "input_ids"), kinds), places)
    x = layer(norm(x, f"{at}LayerNorm"), "albert.encoder.embedding_hidden_mapping_in")
    mask = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=FLOAT), graph.ints(1, 2))
    unseen = graph.add("Mul", graph.add("Sub", graph.floats(1), mask), graph.floats(-3.4028235e38))
    at = "albert.encoder.albert_layer_groups.0.albert_layers.0."
    # Every layer has the same weights.
    for _ in range(config["num_hidden_layers"]):
        parts = {}
        for part in ("query", "key", "value"):
            y = graph.add("Reshape", layer(x, f"{at}attention.{part}"), graph.ints(0, 0, heads, width // heads))
            parts[part] = graph.add("Transpose", y, perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3])
        y = graph.add("MatMul", parts["query"], parts["key"])
        y = graph.add("Add", graph.add("Div", y, graph.floats((width // heads) ** 0.5)), unseen)
        y = graph.add("MatMul", graph.add("Softmax", y, axis=-1), parts["value"])
        y = graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), graph.ints(0, 0, width))
        x = norm(graph.add("Add", x, layer(y, f"{at}attention.dense")), f"{at}attention.LayerNorm")
        y = layer(gelu(graph, layer(x, f"{at}ffn")), f"{at}ffn_output")
        x = norm(graph.add("Add", y, x), f"{at}full_layer_layer_norm")
    x = norm(gelu(graph, layer(x, "predictions.dense")), "predictions.LayerNorm")
    graph.linear(x, weights["predictions.decoder.weight"], weights["predictions.bias"], out="logits")
    inputs = [tokens(name) for name in ("input_ids", "attention_mask", "token_type_ids")]
    graph.save(path, inputs, [("logits", FLOAT, ["batch_size", "sequence_length", config["vocab_size"]])])
