"""A BERT encoder with a linear head, in JAX: masked, for batches of texts of different lengths, and differentiable.

Devlin et al. 2019, https://arxiv.org/abs/1810.04805; the weights are named as sentence-transformers exports them.
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

HEADS, EPSILON = 12, 1e-12
MOST_TOKENS = 128
Parameters = dict


def parameters(weights: Mapping[str, np.ndarray], layers: list[int], labels: int, seed: int) -> Parameters:
    """The pretrained weights of the layers named, and a head that begins near zero."""

    def linear(name: str) -> dict:
        return {"weight": weights[f"{name}.weight"].T, "bias": weights[f"{name}.bias"]}

    def norm(name: str) -> dict:
        return {"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}

    def layer(index: int) -> dict:
        name = f"encoder.layer.{index}"
        return {
            "query": linear(f"{name}.attention.self.query"),
            "key": linear(f"{name}.attention.self.key"),
            "value": linear(f"{name}.attention.self.value"),
            "attended": linear(f"{name}.attention.output.dense"),
            "attended_norm": norm(f"{name}.attention.output.LayerNorm"),
            "inner": linear(f"{name}.intermediate.dense"),
            "outer": linear(f"{name}.output.dense"),
            "outer_norm": norm(f"{name}.output.LayerNorm"),
        }

    tokens = weights["embeddings.word_embeddings.weight"]
    # There is one segment: its vector is added to those of the positions once and for all.
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    head = np.random.default_rng(seed).normal(0, 0.02, (tokens.shape[1], labels))
    found = {
        "tokens": tokens,
        "positions": positions[:MOST_TOKENS],
        "norm": norm("embeddings.LayerNorm"),
        "layers": [layer(index) for index in layers],
        "head": {"weight": head, "bias": np.zeros(labels)},
    }
    return jax.tree_util.tree_map(lambda value: jnp.asarray(value, jnp.float32), found)


@jax.custom_vjp
def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    """The product of [..., k] and [k, n] with factors of bfloat16 and sums of float32: some four times as fast."""
    return jnp.matmul(a.astype(jnp.bfloat16), b.astype(jnp.bfloat16), preferred_element_type=jnp.float32)


def _product_forward(a: jax.Array, b: jax.Array) -> tuple:
    return _product(a, b), (a.astype(jnp.bfloat16), b.astype(jnp.bfloat16))


def _product_backward(factors: tuple, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    a, b = factors
    rows, columns = a.reshape(-1, a.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
    return _product(gradient, b.T), _product(rows.T, columns)


_product.defvjp(_product_forward, _product_backward)


def _linear(x: jax.Array, layer: dict) -> jax.Array:
    return _product(x, layer["weight"]) + layer["bias"]


def _norm(x: jax.Array, layer: dict) -> jax.Array:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
    return scaled * layer["weight"] + layer["bias"]


def _attention(x: jax.Array, bias: jax.Array, layer: dict) -> jax.Array:
    batch, length, width = x.shape

    def split(name: str) -> jax.Array:
        return _linear(x, layer[name]).reshape(batch, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)

    query, key, value = split("query"), split("key"), split("value")
    scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(width // HEADS) + bias
    mixed = jax.nn.softmax(scores, axis=-1) @ value
    return _linear(mixed.transpose(0, 2, 1, 3).reshape(batch, length, width), layer["attended"])


def logits(found: Parameters, ids: jax.Array, mask: jax.Array, key: jax.Array | None = None, rate: float = 0.0) -> jax.Array:
    """f32 [batch, labels] of ids i32 [batch, tokens] and mask f32 [batch, tokens]; a key asks for dropout at `rate`."""
    keys = iter(() if key is None else jax.random.split(key, 2 + 2 * len(found["layers"])))

    def dropout(x: jax.Array) -> jax.Array:
        if key is None:
            return x
        return jnp.where(jax.random.bernoulli(next(keys), 1 - rate, x.shape), x / (1 - rate), 0)

    x = dropout(_norm(found["tokens"][ids] + found["positions"][: ids.shape[1]], found["norm"]))
    bias = (1 - mask)[:, None, None, :] * -1e9
    for layer in found["layers"]:
        x = _norm(x + dropout(_attention(x, bias, layer)), layer["attended_norm"])
        inner = jax.nn.gelu(_linear(x, layer["inner"]), approximate=False)
        x = _norm(x + dropout(_linear(inner, layer["outer"])), layer["outer_norm"])
    mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return dropout(mean) @ found["head"]["weight"] + found["head"]["bias"]
