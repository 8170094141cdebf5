"""Language: the weights of lande as ONNX, checked against lande itself."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

import data
import features
import graphs
import sources
from calibrate import RISKS, candidates, confidences, fit_temperature, walk
from cards import Card, certificate, failures, held_out
from common import (
    MIT,
    Built,
    Calibrated,
    Folders,
    Rows,
    calibrate_head,
    calibrated,
    check,
    classify_task,
    limits,
    long_enough,
    read_rows,
    sha256,
    write_card,
    write_json,
)
from measure import Figures, confusions, percent, table

# Texts too short to name a language are not asked about; which length that is, tune decides.
LANGUAGE_MIN_BYTES = (1, 8, 12, 16, 24, 32)
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
LANGUAGE_PREPROCESSING = """1. Runs of `-` become one space.
2. Everything but letters (`\\p{L}`), marks (`\\p{M}`) and white space (ECMAScript `\\s`) is deleted.
3. Runs of two or more white-space characters become one space; a single one stays as it is.
4. Lower case by the default Unicode mapping, trimmed, then one space before and one after.
5. For n = 1 to 4: the relative frequency, among all overlapping windows of n UTF-16 code units, of each n-gram of
   `ngrams.json`, in file order: f32 [1, 620]."""


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


def choose_min_bytes(scores: dict[str, np.ndarray], rows: dict[str, Rows], names: list[str]) -> int:
    """The length limit under which the most tune rows can be answered locally at the smallest risk."""
    truth, kept = rows["tune"].truth(names), {}
    for limit in LANGUAGE_MIN_BYTES:
        asked = long_enough(rows["tune"].texts, limit)
        temperature = fit_temperature(scores["tune"][asked], truth[asked])
        found, confidence = confidences(scores["tune"][asked], temperature)
        steps = candidates(confidence, int(long_enough(rows["cal"].texts, limit).sum()), RISKS[0])
        kept[limit] = walk(steps, confidence, found == truth[asked], RISKS[0]).kept
    return max(kept, key=kept.get)


def length_note(min_bytes: int) -> str:
    return (
        f"Texts below {min_bytes} bytes are not answered locally: on one or two short words the network is sure and "
        "wrong. "
        f"Of {', '.join(map(str, LANGUAGE_MIN_BYTES))} bytes this limit lets the most tune rows be answered at a risk "
        "of "
        f"{percent(RISKS[0])}. The threshold is certified on texts that long; in the tables, shorter ones count as not "
        "answered locally, and their accuracy is that of the answer nobody is given."
    )


def language_table(per_slice: dict[str, Figures]) -> str:
    codes = sorted({name.split("/")[0] for name in per_slice})
    rows = []
    for code in codes:
        cells = [per_slice.get(f"{code}/{length}") for length in ("words", "pairs", "sentences")]
        shown = [f"{percent(f.accuracy)} ({f.n})" if f else "-" for f in cells]
        rows.append([f"{code} {LANGUAGE_TITLES[code]}", *shown])
    return table(["language", "words (n)", "pairs (n)", "sentences (n)"], rows)


def language_card(built: Calibrated, min_bytes: int, parity: tuple[int, float], modules: Path) -> Card:
    rows, overall, threshold = built.rows, built.overall, built.threshold
    by_length, per_slice = built.slices([name.split("/")[1] for name in rows.slices]), built.slices()
    card = Card("language", "Language", MIT, ["language-identification"], ["lingua-language-model"])
    card.dataset_name = "lingua test data 1.3.0, 47 languages"
    card.results = {"all": overall.accuracy, **{name: f.accuracy for name, f in by_length.items()}}
    source = modules / "lande/standalone/t50-options.js"
    known = sorted({name.split("/")[0] for name in rows.slices})
    unmeasured = [LANGUAGE_TITLES[code] for code in LANGUAGE_TITLES if code not in known]
    card.add(
        "What it is",
        "Names the language of a text, one of 50 (ISO 639-3). A dense network with one hidden layer over character "
        "n-gram frequencies; the weights are those of lande, decoded and stored as ONNX without its softmax, so the "
        "output is logits. Nothing was retrained.",
    )
    card.add(
        "Source and licence",
        f"npm lande@{sources.npm_version('lande')}, `standalone/t50-options.js` (sha256 `{sha256(source)}`), MIT, see "
        "LICENSE. Trained by its author.",
    )
    card.add("Preprocessing", LANGUAGE_PREPROCESSING)
    card.add("Confidence", certificate(threshold, built.temperature), length_note(min_bytes))
    card.add(
        "Measured on held-out data",
        "Test data of the lingua-*-language-model@1.3.0 crates (Apache-2.0): single words, word pairs and sentences of "
        f"{len(known)} languages, at most {data.LANGUAGE_ROWS_PER_SLICE} lines each. This model was not trained on "
        "them, "
        "as far as its author says. Short texts are often valid in several languages, which no model can tell apart.",
        held_out("length", overall, by_length),
        "Per language:",
        language_table(per_slice),
    )
    sentences = {name: f for name, f in per_slice.items() if name.endswith("/sentences")}
    card.add(
        "Limits and known failures",
        f"Not measured, for want of labelled text: {', '.join(unmeasured)}. A text in a language outside the 50 gets "
        "one "
        "of the 50. Texts without a letter carry no information and must not be asked about.",
        failures(confusions(rows.labels, built.found, 8), sentences, 5),
    )
    card.add(
        "Checks",
        f"The ONNX graph answers as the JavaScript package does: largest difference of a probability {parity[1]:.0e} "
        "over "
        f"{parity[0]} lines of all measured languages.",
    )
    return card


def build_language(folders: Folders) -> tuple[Built, Callable[[list[str]], float]]:
    folder = folders.out / "language"
    rows = {split: read_rows(folders.data, "language", split) for split in ("tune", "cal", "test")}
    texts = parity_texts(rows["tune"])
    dump = run_lande(folders, texts)
    names = dump["labels"]
    layers = [(np.array(layer["weights"]).T, np.array(layer["biases"])) for layer in dump["layers"]]
    graphs.save_dense(folder / "head.onnx", layers, "frequencies")
    write_json(folder / "ngrams.json", dump["ngrams"])
    model = graphs.Session(folder / "head.onnx")
    difference = check_lande(dump, texts, model)
    check(f"language: ONNX against lande over {len(texts)} lines", difference, 1e-4)

    def score(inputs: list[str]) -> np.ndarray:
        return model(features.ngram_frequencies(inputs, dump["ngrams"]))

    scores = {split: score(rows[split].texts) for split in rows}
    min_bytes = choose_min_bytes(scores, rows, names)
    built = calibrate_head(scores, rows, names, min_bytes)
    modules = sources.npm_modules(folders.work)
    write_card(folders, language_card(built, min_bytes, (len(texts), difference), modules))
    shutil.copyfile(sources.require(modules / "lande", "license", "lande"), folder / "LICENSE")
    head = {"file": "language/head.onnx", "features": {"kind": "ngrams", "file": "language/ngrams.json"}}
    head |= {"output": "logits", **calibrated(built.temperature, built.threshold)}
    labels = {name: LANGUAGE_TITLES[name] for name in names}
    instruction = "Name the language the text is written in."
    limit = limits(data.MAX_BYTES, min_bytes=min_bytes)
    task = classify_task("text", "Language", instruction, labels, limit, "language")

    def turned_away(inputs: list[str]) -> float:
        """The share of these English texts that a limit to English would refuse."""
        if built.threshold.value is None:
            return 0.0
        answer, confidence = confidences(score(inputs), built.temperature)
        foreign = (answer != names.index("eng")) & (confidence >= built.threshold.value)
        return float((foreign & long_enough(inputs, min_bytes)).mean())

    return Built("language", head, task, built.overall, built.threshold), turned_away
