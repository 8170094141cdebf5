"""What every head of the bundle goes through: rows in, calibration, manifest entries and a card out."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibrate import DELTA, Threshold, certify, confidences, fit_temperature
from cards import Card
from measure import Figures, by_slice, figures

APACHE = "Apache-2.0"
MIT = "MIT"


@dataclass
class Folders:
    out: Path
    work: Path
    data: Path


@dataclass
class Rows:
    """One split of a task."""

    texts: list[str]
    labels: list[str]
    slices: list[str]

    def truth(self, names: list[str]) -> np.ndarray:
        return np.array([names.index(label) for label in self.labels])


@dataclass
class Built:
    """What a finished head leaves for the manifest, the cards and the table."""

    name: str
    head: dict
    task: dict
    test: Figures | None
    threshold: Threshold | None


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_rows(folder: Path, task: str, split: str) -> Rows:
    lines = (folder / f"{task}.{split}.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    return Rows(*([row[key] for row in rows] for key in ("input", "label", "slice")))


def write_json(path: Path, value: object, indent: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    path.write_text(text + "\n", encoding="utf-8")


def write_card(folders: Folders, card: Card) -> None:
    path = folders.out / card.name / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(card.render(), encoding="utf-8")


def check(what: str, difference: float, limit: float) -> None:
    print(f"check: {what}: largest difference {difference:.1e}")
    if not difference <= limit:
        raise SystemExit(f"build.py: {what}: {difference} is more than {limit}")


def limits(max_bytes: int, min_bytes: int = 1, max_tokens: int | None = None, languages: dict | None = None) -> dict:
    return {"minBytes": min_bytes, "maxBytes": max_bytes, "maxTokens": max_tokens, "languages": languages}


def classify_task(kind: str, title: str, instruction: str, labels: dict[str, str], limit: dict, head: str) -> dict:
    entries = [{"id": label, "title": text} for label, text in labels.items()]
    task = {"kind": "classify", "input": kind, "title": title, "instruction": instruction, "labels": entries}
    return {**task, "limits": limit, "tiers": [head], "card": f"{head}/README.md"}


def long_enough(texts: list[str], min_bytes: int) -> np.ndarray:
    return np.array([len(text.encode()) >= min_bytes for text in texts])


@dataclass
class Calibrated:
    """A head's decision rule, and what it says about the test split."""

    temperature: float
    threshold: Threshold
    overall: Figures
    rows: Rows
    found: list[str]
    confidence: np.ndarray
    right: np.ndarray

    def slices(self, names: list[str] | None = None) -> dict[str, Figures]:
        return by_slice(names or self.rows.slices, self.confidence, self.right, self.threshold.value)


def calibrate_head(
    scores: dict[str, np.ndarray], rows: dict[str, Rows], names: list[str], min_bytes: int = 1
) -> Calibrated:
    """Temperature on tune, threshold on cal, figures on test; rows below `min_bytes` are never answered locally."""
    asked = {split: long_enough(rows[split].texts, min_bytes) for split in ("tune", "cal", "test")}
    truth = {split: rows[split].truth(names) for split in asked}
    temperature = fit_temperature(scores["tune"][asked["tune"]], truth["tune"][asked["tune"]])
    said = {split: confidences(scores[split], temperature) for split in asked}
    right = {split: said[split][0] == truth[split] for split in asked}
    threshold = certify(*((said[split][1][asked[split]], right[split][asked[split]]) for split in ("tune", "cal")))
    confidence = np.where(asked["test"], said["test"][1], 0.0)
    overall = figures(confidence, right["test"], threshold.value)
    found = [names[index] for index in said["test"][0]]
    return Calibrated(temperature, threshold, overall, rows["test"], found, confidence, right["test"])


def calibrated(temperature: float, threshold: Threshold) -> dict:
    evidence = {"n": threshold.kept, "errors": threshold.errors, "delta": DELTA}
    certified = threshold.value is not None
    return {
        "temperature": temperature,
        "threshold": threshold.value,
        "risk": threshold.risk,
        "calibration": evidence if certified else None,
    }
