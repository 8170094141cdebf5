"""Fine-tuning: cross-entropy by AdamW (Loshchilov and Hutter 2019), with warm-up and a linear decay of the rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bert import network

# Each length is one compilation.
LENGTHS = (16, 24, 32, 48, 80, network.MOST_TOKENS)
TOKENS_A_BATCH = 2048
# Rows are ordered by length within so many, which leaves little padding and much chance.
NEIGHBOURS = 4096
WARM_UP, DECAY, LARGEST_GRADIENT = 0.06, 0.01, 1.0


@dataclass
class Settings:
    epochs: int = 3
    rate: float = 1e-4
    dropout: float = 0.1
    seed: int = 0


@dataclass
class Batch:
    """Places of rows, padded to `length` tokens and `rows` rows."""

    length: int
    rows: int
    places: list[int]

    def arrays(self, ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        padded = np.zeros((self.rows, self.length), np.int32)
        mask = np.zeros((self.rows, self.length), np.float32)
        # A row of padding alone has no mean.
        mask[:, 0] = 1
        for row, place in enumerate(self.places):
            padded[row, : len(ids[place])] = ids[place]
            mask[row, : len(ids[place])] = 1
        return padded, mask


def batches(ids: list[list[int]], order: list[int]) -> list[Batch]:
    found = []
    for start in range(0, len(order), NEIGHBOURS):
        near = sorted(order[start : start + NEIGHBOURS], key=lambda place: len(ids[place]))
        while near:
            length = next(length for length in LENGTHS if length >= len(ids[near[0]]))
            rows = TOKENS_A_BATCH // length
            places = [place for place in near[:rows] if len(ids[place]) <= length]
            near = near[len(places) :]
            found.append(Batch(length, rows, places))
    return found


def _loss(found: network.Parameters, batch: tuple, key: jax.Array, rate: float) -> jax.Array:
    ids, mask, target, weight = batch
    scores = jax.nn.log_softmax(network.logits(found, ids, mask, key, rate))
    return -((target * scores).sum(-1) * weight).sum() / weight.sum()


@partial(jax.jit, static_argnames="dropout", donate_argnums=(0, 1))
def _step(found: network.Parameters, moments: tuple, count: float, rate: float, batch: tuple, key: jax.Array, dropout: float):
    loss, gradient = jax.value_and_grad(_loss)(found, batch, key, dropout)
    norm = jnp.sqrt(sum((part**2).sum() for part in jax.tree_util.tree_leaves(gradient)))
    factor = jnp.minimum(1, LARGEST_GRADIENT / norm)
    first = jax.tree_util.tree_map(lambda m, g: 0.9 * m + 0.1 * factor * g, moments[0], gradient)
    second = jax.tree_util.tree_map(lambda v, g: 0.999 * v + 0.001 * (factor * g) ** 2, moments[1], gradient)

    def moved(value: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
        step = (m / (1 - 0.9**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
        return value - rate * (step + DECAY * value * (value.ndim == 2))

    return jax.tree_util.tree_map(moved, found, first, second), (first, second), loss


_scores = jax.jit(network.logits)


def predict(found: network.Parameters, ids: list[list[int]]) -> np.ndarray:
    """Logits, f32 [rows, labels]."""
    out = np.zeros((len(ids), found["head"]["bias"].shape[0]), np.float32)
    for batch in batches(ids, list(range(len(ids)))):
        out[batch.places] = np.asarray(_scores(found, *batch.arrays(ids)))[: len(batch.places)]
    return out


def tune(
    found: network.Parameters,
    rows: Callable[[int, np.random.Generator], tuple[list[list[int]], np.ndarray]],
    settings: Settings,
) -> network.Parameters:
    """`rows` gives the token ids and the target probabilities f32 [rows, labels] of an epoch."""
    # Masks of dropout need no cryptographic generator, and the default one takes longer than the products.
    jax.config.update("jax_default_prng_impl", "unsafe_rbg")
    random, key = np.random.default_rng(settings.seed), jax.random.key(settings.seed)
    moments = tuple(jax.tree_util.tree_map(jnp.zeros_like, found) for _ in range(2))
    begun, done = time.monotonic(), 0
    for epoch in range(settings.epochs):
        ids, targets = rows(epoch, random)
        dealt = batches(ids, random.permutation(len(ids)).tolist())
        total, losses = len(dealt) * settings.epochs, []
        for place in random.permutation(len(dealt)):
            batch = dealt[place]
            target = np.zeros((batch.rows, targets.shape[1]), np.float32)
            weight = np.zeros(batch.rows, np.float32)
            target[: len(batch.places)], weight[: len(batch.places)] = targets[batch.places], 1
            done += 1
            part = done / total
            rate = settings.rate * min(part / WARM_UP, max(0.0, 1 - part) / (1 - WARM_UP))
            key, fresh = jax.random.split(key)
            given = (*batch.arrays(ids), target, weight)
            found, moments, loss = _step(found, moments, float(done), rate, given, fresh, settings.dropout)
            losses.append(float(loss))
        passed = time.monotonic() - begun
        print(f"epoch {epoch + 1} of {settings.epochs}: loss {np.mean(losses):.3f}, {passed:.0f} s", flush=True)
    return found
