"""Turns a BERT sentence encoder into a table of token vectors (the Model2Vec recipe).

A static encoder has no attention: each token gets one vector for every context, and a text is their mean. The vector
is what the full model says about the token on its own, so the expensive model runs once per vocabulary entry, here.
"""

import json
from pathlib import Path

import numpy as np
from scipy.special import erf

BATCH = 512


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The format is a JSON header and raw little-endian tensors; reading it here saves a dependency on a framework."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, facts in header.items():
        if name != "__metadata__" and facts["dtype"] == "F32":
            start, end = (8 + size + offset for offset in facts["data_offsets"])
            tensors[name] = np.frombuffer(raw[start:end], np.float32).reshape(facts["shape"])
    return tensors


class Bert:
    """The forward pass of a BERT encoder without padding, in numpy."""

    def __init__(self, folder: Path) -> None:
        self.weights = read_safetensors(folder / "model.safetensors")
        self.config = json.loads((folder / "config.json").read_text())

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _attention(self, x: np.ndarray, name: str) -> np.ndarray:
        batch, length, width = x.shape
        heads = self.config["num_attention_heads"]

        def split(part: str) -> np.ndarray:
            projected = self._linear(x, f"{name}.self.{part}")
            return projected.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

        scores = split("query") @ split("key").transpose(0, 1, 3, 2) / np.sqrt(width // heads)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ split("value")).transpose(0, 2, 1, 3).reshape(batch, length, width)
        return self._norm(self._linear(mixed, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")

    def hidden_states(self, ids: np.ndarray) -> np.ndarray:
        table = self.weights
        x = table["embeddings.word_embeddings.weight"][ids]
        x = x + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x + table["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self._attention(x, f"{name}.attention")
            inner = self._linear(x, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2, dtype=np.float32)))
            x = self._norm(self._linear(inner, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")
        return x


def token_vectors(bert: Bert, first: int, last: int) -> np.ndarray:
    """One vector per vocabulary entry: the mean last hidden state of `first` token `last` ([CLS] token [SEP])."""
    size = bert.config["vocab_size"]
    blocks = []
    for start in range(0, size, BATCH):
        tokens = np.arange(start, min(start + BATCH, size))
        ids = np.stack([np.full_like(tokens, first), tokens, np.full_like(tokens, last)], axis=1)
        blocks.append(bert.hidden_states(ids).mean(axis=1))
    return np.concatenate(blocks).astype(np.float32)


def principal_components(vectors: np.ndarray, dimension: int) -> np.ndarray:
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, np.argsort(values)[::-1][:dimension]]
    # An eigenvector's sign is arbitrary; fixing it keeps rebuilds identical across linear-algebra libraries.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimension)])
    return (centred @ axes).astype(np.float32)


def frequency_weights(size: int, smoothing: float = 1e-4) -> np.ndarray:
    """SIF weights a / (a + p); BERT's vocabulary is ordered by frequency, so p comes from the rank by Zipf's law."""
    zipf = 1.0 / np.arange(2, size + 2)
    return (smoothing / (smoothing + zipf / zipf.sum())).astype(np.float32)


def quantise(table: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 with one scale per row (axis=1) or per column (axis=0)."""
    scale = np.abs(table).max(axis=axis, keepdims=True) / 127
    scale[scale == 0] = 1
    return np.rint(table / scale).astype(np.int8), scale.astype(np.float32)
