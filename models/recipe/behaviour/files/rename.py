#!/usr/bin/env python3
"""Renames the photos of a folder after the day on which they were taken."""

import argparse
import datetime
from pathlib import Path


def new_name(path: Path, taken: set[str]) -> str:
    day = datetime.date.fromtimestamp(path.stat().st_mtime)
    for number in range(1, 10_000):
        name = f"{day:%Y-%m-%d}-{number:03}{path.suffix.lower()}"
        if name not in taken:
            taken.add(name)
            return name
    raise RuntimeError(f"too many photos of {day}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    taken: set[str] = set()
    for path in sorted(arguments.folder.glob("*.[jJ][pP][gG]")):
        path.rename(path.with_name(new_name(path, taken)))


if __name__ == "__main__":
    main()
