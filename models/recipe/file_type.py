"""File type: the model of Magika as it is, and a check over the files the recipe has at hand."""

import json
import shutil
from pathlib import Path

import numpy as np

import features
import graphs
import sources
from cards import Card, failures, held_out
from common import APACHE, Built, Folders, classify_task, limits, sha256, write_card
from measure import Figures, by_slice, confusions, figures

MAGIKA = "magika/models/standard_v3_3"
MAX_FILE_TYPE_BYTES = 268_435_456
FILE_TYPE_PREPROCESSING = """Of the first 4096 bytes: leading white space (space, `\\t \\n \\v \\f \\r`) stripped, the first
1024 kept, padded at the end with 256. Of the last 4096 bytes: trailing white space stripped, the last 1024 kept, padded
at the start with 256. Both together are i32 [1, 2048]."""


def file_type_figures(folders: Folders, model: graphs.Session, names: list[str], threshold: float):
    """Accuracy over the files whose name ending belongs to one kind only: noisy, but not chosen by us."""
    lines = (folders.data / "filetype.test.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [row for row in map(json.loads, filter(None, lines)) if row["label"]]
    kept = [(row["label"], Path(row["path"]).read_bytes()) for row in rows]
    kept = [(label, content) for label, content in kept if len(content[: features.BLOCK].lstrip()) >= 8]
    scores = np.concatenate([model(features.byte_windows(content)[None]) for _, content in kept])
    labels = [label for label, _ in kept]
    found = [names[index] for index in scores.argmax(axis=1)]
    right = np.array([a == b for a, b in zip(labels, found, strict=True)])
    at = (scores.max(axis=1), right, threshold)
    return figures(*at), by_slice(labels, *at), confusions(labels, found, 8)


def file_type_card(config: dict, model: Path, overall: Figures, slices: dict[str, Figures], wrong: list) -> Card:
    card = Card("file-type", "File type", APACHE, ["file-type-detection"], ["registry-package-files"])
    card.dataset_name = "files of the packages this recipe fetches, labelled by name ending"
    card.task = "other"
    card.results = {"all": overall.accuracy}
    card.add(
        "What it is",
        f"Names the kind of a file from its bytes, one of {len(config['target_labels_space'])}. `head.onnx` is the "
        "`standard_v3_3` model of Magika, unmodified, byte for byte; its output is probabilities.",
    )
    card.add(
        "Source and licence",
        f"PyPI magika@{sources.version('magika')}, `{MAGIKA}/model.onnx` (sha256 `{sha256(model)}`), Apache-2.0, "
        "copyright Google LLC, see LICENSE and NOTICE. Label titles are the descriptions of its "
        "`content_types_kb.min.json`.",
    )
    card.add("Preprocessing", FILE_TYPE_PREPROCESSING)
    card.add(
        "Confidence",
        f"The threshold {config['medium_confidence_threshold']} is the medium confidence threshold of the model's "
        "authors, not a certificate of ours: no labelled files representative of what visitors open were at hand, so "
        "`calibration` and `risk` are null. The authors ask for more on some labels (not applied here): "
        + ", ".join(f"{label} {value}" for label, value in sorted(config["thresholds"].items()))
        + ".",
    )
    card.add(
        "Measured",
        "Files of the packages this recipe fetches whose name ending belongs to exactly one kind; some endings lie, "
        "and "
        "the mix is that of source packages. Read it as a check that the conversion works, not as the model's "
        "accuracy.",
        held_out("label", overall, slices),
    )
    card.add(
        "Limits and known failures",
        "Files with fewer than 8 bytes after leading white space is stripped are not for the model (the library turns "
        'away files below 8 bytes). `randombytes` and `randomtxt` mean "nothing known".',
        failures(wrong, {name: f for name, f in slices.items() if f.n >= 10}, 3),
    )
    return card


def build_file_type(folders: Folders, apache: Path) -> Built:
    package = sources.wheel(folders.work, "magika")
    source = sources.require(package, f"{MAGIKA}/model.onnx", "magika")
    config = json.loads(sources.require(package, f"{MAGIKA}/config.min.json", "magika").read_text())
    kinds = json.loads(sources.require(package, "magika/config/content_types_kb.min.json", "magika").read_text())
    folder = folders.out / "file-type"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / "head.onnx")
    shutil.copyfile(apache, folder / "LICENSE")
    (folder / "NOTICE").write_text(
        f"head.onnx is the model standard_v3_3 of Magika {sources.version('magika')}, unmodified.\n"
        "Copyright 2024 Google LLC. Licensed under the Apache License, Version 2.0.\n"
    )
    names, threshold = config["target_labels_space"], config["medium_confidence_threshold"]
    overall, slices, wrong = file_type_figures(folders, graphs.Session(folder / "head.onnx"), names, threshold)
    write_card(folders, file_type_card(config, source, overall, slices, wrong))
    windows = {"kind": "byte-windows", "beginBytes": config["beg_size"], "endBytes": config["end_size"]}
    windows |= {"blockBytes": config["block_size"], "padding": config["padding_token"]}
    head = {"file": "file-type/head.onnx", "features": windows, "output": "probabilities", "temperature": 1.0}
    head |= {"threshold": threshold, "risk": None, "calibration": None}
    labels = {name: kinds[name]["description"] or name for name in names}
    limit = limits(MAX_FILE_TYPE_BYTES, min_bytes=config["min_file_size_for_dl"])
    instruction = "Name the type of the file from its bytes."
    return Built(
        "file-type", head, classify_task("bytes", "File type", instruction, labels, limit, "file-type"), overall, None
    )
