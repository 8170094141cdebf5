"""Figures as text."""


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
