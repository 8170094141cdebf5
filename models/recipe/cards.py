"""The card of the shared encoder, which has no labelled task of its own for `smallfirst evaluate` to measure."""

from dataclasses import dataclass, field

REBUILD = "## Rebuild\n\n    {command}\n\nEverything is fetched by pinned name and version."


@dataclass
class Card:
    name: str
    title: str
    license: str
    tags: list[str]
    languages: list[str] = field(default_factory=list)
    sections: list[tuple[str, str]] = field(default_factory=list)
    rebuild: str = "cargo xtask models"

    def add(self, title: str, *paragraphs: str) -> None:
        self.sections.append((title, "\n\n".join(paragraph for paragraph in paragraphs if paragraph)))

    def render(self) -> str:
        lines = ["---", f"license: {self.license.lower()}", "library_name: smallfirst"]
        for key, values in (("language", self.languages), ("tags", self.tags)):
            if values:
                lines += [f"{key}:", *(f"- {value}" for value in values)]
        body = ["\n".join([*lines, "---"]), f"# {self.title}"]
        body += [f"## {title}\n\n{text}" for title, text in self.sections]
        return "\n\n".join([*body, REBUILD.format(command=self.rebuild)]) + "\n"
