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

LANGUAGE_TITLES = {
    "afr": "Afrikaans", "ara": "Arabic", "aze": "Azerbaijani", "bel": "Belarusian", "ben": "Bengali",
    "bos": "Bosnian", "bul": "Bulgarian", "cat": "Catalan", "ces": "Czech", "cmn": "Mandarin Chinese",
    "cym": "Welsh", "dan": "Danish", "deu": "German", "ell": "Greek", "eng": "English", "epo": "Esperanto",
    "est": "Estonian", "eus": "Basque", "fin": "Finnish", "fra": "French", "gle": "Irish", "guj": "Gujarati",
    "heb": "Hebrew", "hin": "Hindi", "hrv": "Croatian", "hun": "Hungarian", "hye": "Armenian",
    "ind": "Indonesian", "isl": "Icelandic", "ita": "Italian", "jpn": "Japanese", "kat": "Georgian",
    "kaz": "Kazakh", "kor": "Korean", "lat": "Latin", "lav": "Latvian", "lit": "Lithuanian", "lug": "Ganda",
    "mar": "Marathi", "mkd": "Macedonian", "mon": "Mongolian", "mri": "Māori", "msa": "Malay", "nld": "Dutch",
    "nno": "Norwegian Nynorsk", "nob": "Norwegian Bokmål", "pan": "Punjabi", "pes": "Persian", "pol": "Polish",
    "por": "Portuguese", "ron": "Romanian", "rus": "Russian", "slk": "Slovak", "slv": "Slovene", "sna": "Shona",
    "som": "Somali", "sot": "Sotho", "spa": "Spanish", "sqi": "Albanian", "srp": "Serbian", "swa": "Swahili",
    "swe": "Swedish", "tam": "Tamil", "tel": "Telugu", "tgl": "Tagalog", "tha": "Thai", "tsn": "Tswana",
    "tso": "Tsonga", "tur": "Turkish", "ukr": "Ukrainian", "urd": "Urdu", "vie": "Vietnamese", "xho": "Xhosa",
    "yor": "Yoruba", "zul": "Zulu",
}  # fmt: skip


def train(listed: Path, folder: Path) -> None:
    """Trains where the code or the crates have changed since: it takes five minutes."""
    root = sources.RECIPE.parents[1]
    # The n-grams are cut and hashed by the code that the page runs.
    code = [*sorted((sources.RECIPE / "language/src").glob("*.rs")), root / "src/text/characters.rs", root / "src/splitmix.rs"]
    key = sources.digest(*(path.read_bytes() for path in [*code, sources.RECIPE / "lingua/Cargo.lock"]))
    stamp = folder / ".complete"
    if stamp.is_file() and stamp.read_text() == key:
        return
    trainer = ["cargo", "run", "--quiet", "--release", "--locked", "--package", "smallfirst-recipe-language", "--"]
    subprocess.run([*trainer, str(listed.resolve()), str(folder.resolve())], cwd=root, check=True)
    stamp.write_text(key)


def build_language(folders: Folders) -> None:
    """Writes the table of n-grams, the layer on top, the labels and the licence."""
    folder = folders.out / "language"
    folder.mkdir(parents=True, exist_ok=True)
    crates = sources.lingua_crates()
    labels = sorted((code, str(crates[name])) for name, code in LANGUAGES.items())
    listed = folder / "languages.json"
    write_json(listed, labels)
    train(listed, folder)
    head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
    graphs.save_dense(folder / "head.onnx", [(np.array(head["weights"]), np.array(head["biases"]))], "vector")
    write_json(folder / "labels.json", [{"id": code, "title": LANGUAGE_TITLES[code]} for code, _ in labels])
    licence = sources.require(crates["english"], "LICENSE", "lingua english")
    shutil.copyfile(licence, folder / "LICENSE")
