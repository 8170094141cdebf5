"""Language: the weights of lande as ONNX, checked against lande itself."""

import json
import shutil
import subprocess

import numpy as np

import features
import graphs
import sources
from common import Folders, Rows, check, read_rows, write_json

LANGUAGE_TITLES = {
    "afr": "Afrikaans", "ara": "Arabic", "aze": "Azerbaijani", "bel": "Belarusian", "ben": "Bengali",
    "bul": "Bulgarian", "cat": "Catalan", "ces": "Czech", "ckb": "Central Kurdish", "cmn": "Mandarin Chinese",
    "dan": "Danish", "deu": "German", "ell": "Greek", "eng": "English", "est": "Estonian",
    "eus": "Basque", "fin": "Finnish", "fra": "French", "hau": "Hausa", "heb": "Hebrew",
    "hin": "Hindi", "hrv": "Croatian", "hun": "Hungarian", "hye": "Armenian", "ind": "Indonesian",
    "isl": "Icelandic", "ita": "Italian", "jpn": "Japanese", "kat": "Georgian", "kaz": "Kazakh",
    "kor": "Korean", "lit": "Lithuanian", "mar": "Marathi", "mkd": "Macedonian", "nld": "Dutch",
    "nob": "Norwegian Bokmål", "pes": "Persian", "pol": "Polish", "por": "Portuguese", "ron": "Romanian",
    "run": "Rundi", "rus": "Russian", "slk": "Slovak", "spa": "Spanish", "srp": "Serbian",
    "swe": "Swedish", "tgl": "Tagalog", "tur": "Turkish", "ukr": "Ukrainian", "vie": "Vietnamese",
}  # fmt: skip


def run_lande(folders: Folders, texts: list[str]) -> dict:
    command = ["node", str(sources.RECIPE / "lande.mjs"), str(sources.npm_modules(folders.work))]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def parity_texts(rows: Rows) -> list[str]:
    """Every slice of every language, a few lines each."""
    taken: dict[str, int] = {}
    texts = []
    for text, name in zip(rows.texts, rows.slices, strict=True):
        taken[name] = taken.get(name, 0) + 1
        if taken[name] <= 5:
            texts.append(text)
    return texts


def check_lande(dump: dict, texts: list[str], model: graphs.Session) -> float:
    scores = model(features.ngram_frequencies(texts, dump["ngrams"])).astype(np.float64)
    ours = np.exp(scores - scores.max(axis=1, keepdims=True))
    ours /= ours.sum(axis=1, keepdims=True)
    return float(np.abs(ours - np.array(dump["probabilities"])).max())


def build_language(folders: Folders) -> None:
    """Writes the network, its vocabulary, its labels and its licence."""
    folder = folders.out / "language"
    texts = parity_texts(read_rows(folders.data, "language", "tune"))
    dump = run_lande(folders, texts)
    layers = [(np.array(layer["weights"]).T, np.array(layer["biases"])) for layer in dump["layers"]]
    graphs.save_dense(folder / "head.onnx", layers, "frequencies")
    write_json(folder / "ngrams.json", dump["ngrams"])
    write_json(folder / "labels.json", [{"id": name, "title": LANGUAGE_TITLES[name]} for name in dump["labels"]])
    difference = check_lande(dump, texts, graphs.Session(folder / "head.onnx"))
    check(f"language: ONNX against lande over {len(texts)} lines", difference, 1e-4)
    licence = sources.require(sources.npm_modules(folders.work) / "lande", "license", "lande")
    shutil.copyfile(licence, folder / "LICENSE")
