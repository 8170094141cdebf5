"""What the parts of the recipe share: folders, rows, files and checks."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


def check(what: str, difference: float, limit: float) -> None:
    print(f"check: {what}: largest difference {difference:.1e}")
    if not difference <= limit:
        raise SystemExit(f"parts.py: {what}: {difference} is more than {limit}")
