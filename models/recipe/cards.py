"""Model cards. Prose is written here; every figure in them is handed over by build.py, which measured it."""

from dataclasses import dataclass, field

from calibrate import DELTA, Threshold
from measure import Figures, percent, slice_table

REBUILD = """## Rebuild

    python3 -m pip install -r models/recipe/requirements.txt
    python3 models/recipe/build.py

Everything is fetched by pinned name and version; the same pins give the same bytes."""


@dataclass
class Card:
    """The parts of one model card; `facts` keeps measured numbers by name for the front matter."""

    name: str
    title: str
    license: str
    tags: list[str]
    datasets: list[str]
    languages: list[str] = field(default_factory=list)
    dataset_name: str = ""
    task: str = "text-classification"
    results: dict[str, float] = field(default_factory=dict)
    sections: list[tuple[str, str]] = field(default_factory=list)

    def add(self, title: str, *paragraphs: str) -> None:
        self.sections.append((title, "\n\n".join(paragraph for paragraph in paragraphs if paragraph)))

    def front_matter(self) -> str:
        lines = ["---", f"license: {self.license.lower()}", "library_name: smallfirst"]
        for key, values in (("language", self.languages), ("tags", self.tags), ("datasets", self.datasets)):
            if values:
                lines += [f"{key}:", *(f"- {value}" for value in values)]
        if self.results:
            lines += ["metrics:", "- accuracy", "model-index:", f"- name: smallfirst-{self.name}", "  results:"]
            lines += ["  - task:", f"      type: {self.task}", "    dataset:"]
            lines += [f"      name: {self.dataset_name}", f"      type: {self.datasets[0]}", "      split: test"]
            lines.append("    metrics:")
            for metric, value in self.results.items():
                lines += ["    - type: accuracy", f"      name: {metric}", f"      value: {value:.4f}"]
        return "\n".join([*lines, "---"])

    def render(self) -> str:
        body = [self.front_matter(), f"# {self.title}"]
        body += [f"## {title}\n\n{text}" for title, text in self.sections]
        return "\n\n".join([*body, REBUILD]) + "\n"


def certificate(threshold: Threshold, temperature: float) -> str:
    """The threshold in words, with the evidence."""
    if threshold.value is None:
        return (
            f"Temperature {temperature}. No threshold could be certified at a risk of {percent(threshold.risk)}: "
            "every answer escalates unless the caller asks for local answers only."
        )
    return (
        f"Temperature {temperature}, threshold {threshold.value}: on the calibration split {threshold.kept} inputs "
        "reach it "
        f"and {threshold.errors} of them are wrong. With probability {percent(1 - DELTA)} over that split, at most "
        f"{percent(threshold.risk)} of the answers given locally are wrong on inputs from the same distribution "
        "(fixed-sequence testing with exact binomial p-values; the risk was chosen on the tune split). "
        "On other distributions there is no promise: calibrate again on your own data."
    )


def held_out(first: str, overall: Figures, slices: dict[str, Figures]) -> str:
    return slice_table(first, {"**all**": overall, **slices})


def failures(confusions: list[tuple[str, str, int]], slices: dict[str, Figures], worst: int) -> str:
    lowest = sorted(slices.items(), key=lambda item: item[1].accuracy)[:worst]
    text = "Lowest accuracy: " + ", ".join(f"{name} {percent(f.accuracy)} (n = {f.n})" for name, f in lowest) + "."
    pairs = ", ".join(f"{truth} taken for {found} ({count})" for truth, found, count in confusions)
    return f"{text}\n\nMost frequent confusions on the test split: {pairs}."
