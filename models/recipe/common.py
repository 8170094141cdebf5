"""What the parts of the recipe share: folders, rows, files and checks."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sources

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


def command(description: str, make: Callable[[Folders], None]) -> int:
    """A script that makes something of the labelled data and of fetched packages, and says in one line where a source is
    missing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for what is made")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled, split data")
    parser.add_argument("--work", type=Path, default=sources.DEFAULT_WORK, help="folder for fetched packages")
    arguments = parser.parse_args()
    try:
        make(Folders(arguments.out, arguments.work, arguments.data))
    except sources.MissingSource as error:
        print(f"{parser.prog}: missing: {error}", file=sys.stderr)
        return 1
    return 0
