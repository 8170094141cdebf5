"""Language: vectors for hashed character n-grams, trained on lingua's n-gram frequencies."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

import graphs
import sources
from common import Folders, write_json
from data import LANGUAGES

# Titles of languages whose crates are named otherwise.
TITLES = {"bokmal": "Norwegian Bokmål", "chinese": "Mandarin Chinese", "maori": "Māori", "nynorsk": "Norwegian Nynorsk"}


def train(listed: Path, folder: Path) -> None:
    """Trains where the code or the crates have changed since: it takes five minutes."""
    root = sources.RECIPE.parents[1]
    # The n-grams are cut and hashed by the code that the page runs.
    code = [*sorted((sources.RECIPE / "language/src").glob("*.rs")), root / "src/text/characters.rs", root / "src/hash.rs"]
    key = sources.digest(*(path.read_bytes() for path in [*code, sources.RECIPE / "lingua/Cargo.lock"]))
    stamp = folder / ".complete"
    if sources.is_fresh(stamp, key):
        return
    trainer = ["cargo", "run", "--quiet", "--release", "--locked", "--package", "smallfirst-recipe-language", "--"]
    subprocess.run([*trainer, str(listed.resolve()), str(folder.resolve())], cwd=root, check=True)
    stamp.write_text(key)


def build_language(folders: Folders) -> None:
    """Writes the table of n-grams, the layer on top, the labels and the licence."""
    folder = folders.out / "language"
    folder.mkdir(parents=True, exist_ok=True)
    crates = sources.lingua_crates()
    languages = sorted((code, name) for name, code in LANGUAGES.items())
    listed = folder / "languages.json"
    write_json(listed, [(code, str(crates[name])) for code, name in languages])
    train(listed, folder)
    head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
    graphs.save_dense(folder / "head.onnx", [(np.array(head["weights"]), np.array(head["biases"]))], "vector")
    write_json(folder / "labels.json", [{"id": code, "title": TITLES.get(name, name.title())} for code, name in languages])
    licence = sources.require(crates["english"], "LICENSE", "lingua english")
    shutil.copyfile(licence, folder / "LICENSE")
