"""What a card says about a head on a split: accuracy, and what is answered locally at the threshold."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figures:
    n: int
    right: int
    kept: int
    kept_wrong: int

    @property
    def accuracy(self) -> float:
        return self.right / self.n

    @property
    def coverage(self) -> float:
        return self.kept / self.n

    @property
    def error(self) -> float | None:
        return self.kept_wrong / self.kept if self.kept else None


def figures(confidence: np.ndarray, right: np.ndarray, threshold: float | None) -> Figures:
    kept = confidence >= (np.inf if threshold is None else threshold)
    return Figures(len(right), int(right.sum()), int(kept.sum()), int((kept & ~right).sum()))


def by_slice(
    names: list[str], confidence: np.ndarray, right: np.ndarray, threshold: float | None
) -> dict[str, Figures]:
    rows = defaultdict(list)
    for index, name in enumerate(names):
        rows[name].append(index)
    return {name: figures(confidence[rows[name]], right[rows[name]], threshold) for name in sorted(rows)}


def confusions(truth: list[str], found: list[str], most: int) -> list[tuple[str, str, int]]:
    wrong = Counter((t, f) for t, f in zip(truth, found, strict=True) if t != f)
    return [(t, f, count) for (t, f), count in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:most]]


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def slice_table(first: str, slices: dict[str, Figures]) -> str:
    head = [first, "n", "accuracy", "answered locally", "error among those"]
    return table(
        head, [[name, f.n, percent(f.accuracy), percent(f.coverage), percent(f.error)] for name, f in slices.items()]
    )
