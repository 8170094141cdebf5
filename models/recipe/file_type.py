"""File type: the model of Magika as it is."""

import json
import shutil

import sources
from common import Folders, write_json

MAGIKA = "magika/models/standard_v3_3"


def build_file_type(folders: Folders) -> None:
    """Copies the model, and writes its labels, notice and preprocessing."""
    package = sources.wheel(folders.work, "magika")
    config = json.loads(sources.require(package, f"{MAGIKA}/config.min.json", "magika").read_text())
    kinds = json.loads(sources.require(package, "magika/config/content_types_kb.min.json", "magika").read_text())
    folder = folders.out / "file-type"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sources.require(package, f"{MAGIKA}/model.onnx", "magika"), folder / "head.onnx")
    shutil.copyfile(folders.out / "static-text" / "LICENSE", folder / "LICENSE")
    (folder / "NOTICE").write_text(
        f"head.onnx is the model standard_v3_3 of Magika {sources.version('magika')}, unmodified.\n"
        "Copyright 2024 Google LLC. Licensed under the Apache License, Version 2.0.\n"
    )
    titles = [{"id": name, "title": kinds[name]["description"] or name} for name in config["target_labels_space"]]
    write_json(folder / "labels.json", titles)
    windows = [config[key] for key in ("beg_size", "end_size", "block_size", "padding_token")]
    expected = [1024, 1024, 4096, 256]
    if windows != expected or config["min_file_size_for_dl"] != 8 or config["medium_confidence_threshold"] != 0.5:
        raise SystemExit("parts.py: magika's settings are not those that `cargo xtask models` imports it with")
