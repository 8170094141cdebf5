"""nanoguard, which tells prompt injections: a small transformer with rotary positions, from a PyTorch checkpoint."""

from pathlib import Path

import numpy as np

from checkpoints import torch
from graph import FLOAT, Graph, labels, tokens, write
from tokenizer_files import tiktoken

BEGIN, PAD = "<|reserved_0|>", "<|reserved_1|>"
EPSILON = np.finfo(np.float32).eps


def bfloat16(value: np.ndarray) -> np.ndarray:
    """Numbers as the package keeps these tables: the upper half of a 32-bit float, rounded to the nearest, ties to even."""
    bits = value.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def classifier(sources: dict[str, bytes], folder: Path) -> None:
    checkpoint = torch(sources["weights"])
    weights, config = checkpoint["model_state_dict"], checkpoint["config"]
    network(weights, config, folder / "onnx/model.onnx")
    made, specials = tiktoken(sources["encoding"], BEGIN)
    write(folder / "tokenizer.json", made)
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "pad_token": PAD,
        "model_max_length": config["sequence_len"],
        "padding_side": "right",
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write(folder / "tokenizer_config.json", tokenizer_config)
    written = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "note": "nanoguard (rotary positions, squared ReLU, RMS norms), not BERT: the type only tells the inputs",
        "hidden_size": config["n_embd"],
        "num_hidden_layers": config["n_layer"],
        "num_attention_heads": config["n_head"],
        "max_position_embeddings": config["sequence_len"],
        "vocab_size": len(weights["transformer.wte.weight"]),
        "pad_token_id": specials[PAD],
        **labels(["safe", "injection"]),
    }
    write(folder / "config.json", written)


def network(weights: dict[str, np.ndarray], config: dict, path: Path) -> None:
    graph = Graph()
    width, heads = config["n_embd"], config["n_head"]
    depth = width // heads

    def rms(x: str) -> str:
        mean = graph.add("ReduceMean", graph.add("Mul", x, x), axes=[-1], keepdims=1)
        return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", mean, graph.floats(EPSILON))))

    # The angle of each place and each pair of numbers.
    frequencies = 10000.0 ** (-np.arange(0, depth, 2) / depth)
    angles = np.outer(np.arange(config["sequence_len"]), frequencies)
    length = graph.add("Gather", graph.add("Shape", "input_ids"), graph.ints(1), axis=0)
    table = lambda values: graph.weight(bfloat16(values)[:, None, :])
    cosine, sine = (graph.add("Slice", table(f(angles)), graph.ints(0), length, graph.ints(0)) for f in (np.cos, np.sin))

    def turned(x: str) -> str:
        half = depth // 2
        a, b = (graph.add("Slice", x, graph.ints(at), graph.ints(at + half), graph.ints(3)) for at in (0, half))
        first = graph.add("Add", graph.add("Mul", a, cosine), graph.add("Mul", b, sine))
        second = graph.add("Sub", graph.add("Mul", b, cosine), graph.add("Mul", a, sine))
        return graph.add("Concat", first, second, axis=3)

    x = begin = rms(graph.add("Gather", graph.weight(weights["transformer.wte.weight"]), "input_ids"))
    for at in range(config["n_layer"]):
        block = f"transformer.h.{at}."
        layer = lambda x, name: graph.linear(x, weights[f"{block}{name}.weight"])
        kept = graph.add("Mul", x, graph.floats(weights["resid_lambdas"][at]))
        x = graph.add("Add", kept, graph.add("Mul", begin, graph.floats(weights["x0_lambdas"][at])))
        y = rms(x)
        parts = [graph.add("Reshape", layer(y, f"attn.c_{part}"), graph.ints(0, 0, heads, depth)) for part in "qkv"]
        query = graph.add("Transpose", rms(turned(parts[0])), perm=[0, 2, 1, 3])
        key = graph.add("Transpose", rms(turned(parts[1])), perm=[0, 2, 3, 1])
        value = graph.add("Transpose", parts[2], perm=[0, 2, 1, 3])
        # The package's attention has no mask: it sees the padding, too. A text alone has none.
        y = graph.add("Mul", graph.add("MatMul", query, key), graph.floats(depth**-0.5))
        y = graph.add("MatMul", graph.add("Softmax", y, axis=-1), value)
        y = graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), graph.ints(0, 0, width))
        x = graph.add("Add", x, layer(y, "attn.c_proj"))
        y = graph.add("Relu", layer(rms(x), "mlp.c_fc"))
        x = graph.add("Add", x, layer(graph.add("Mul", y, y), "mlp.c_proj"))
    mask = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=FLOAT), graph.ints(2))
    total = graph.add("ReduceSum", graph.add("Mul", rms(x), mask), graph.ints(1), keepdims=0)
    count = graph.add("Max", graph.add("ReduceSum", mask, graph.ints(1), keepdims=0), graph.floats(1))
    x = graph.norm(graph.add("Div", total, count), weights["cls_norm.weight"], weights["cls_norm.bias"], 1e-5)
    graph.linear(x, weights["cls_head.weight"], weights["cls_head.bias"], out="logits")
    graph.save(path, [tokens("input_ids"), tokens("attention_mask")], [("logits", FLOAT, ["batch_size", 2])])
