#!/usr/bin/env python3
"""Writes texts of kinds that the test rows of the language task have few or none of, as JSON lines.

    python3 beyond.py --out DIR [--work DIR]

language.beyond.jsonl with {"input", "label", "slice"}, made of the test rows that data.py has written to the same
folder and of files and texts of the packages that it fetches. The label is the language; a row without one is in no
language, so that any answer to it is wrong. No model is trained, tuned or certified on these rows: they show where a
promise, which is for inputs like the calibration rows, ends. Only the standard library is used, and the result depends
on the pinned packages alone.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import data
import hindi
import sources
from data import bucket, write_lines

# The most rows of a slice; enough for an interval of two or three percent.
ROWS = 500
# Languages of which nobody writes capitals: Georgian has them in Unicode, but not in use.
CASELESS = {"kat"}
# Where a capital I has no dot in the one language and loses it in the others.
DOTTED = {"tur", "aze"}
ADDRESS = re.compile(r"https?://[\w./?=&%~+#:-]*\w")
TAG = re.compile(r"(?<!\w)#[A-Za-z]\w{2,24}\b")
COMMENTS = {
    "python": "#", "toml": "#", "yaml": "#", "javascript": "// /* * */", "typescript": "// /* * */", "c": "// /* * */",
    "css": "/* * */", "json": "", "html": "<!-- {#", "svg": "<!--",
}  # fmt: skip
ENDINGS = {
    ".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript", ".ts": "typescript", ".c": "c",
    ".h": "c", ".css": "css", ".json": "json", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".html": "html",
    ".svg": "svg",
}  # fmt: skip
LINES_OF_CODE = 8
LINES_OF_CODE_AT_LEAST = 3
# Snippets of one file; and of one programming language in each slice.
PER_FILE, PER_CODE_LANGUAGE = 2, 60


def read(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def some(rows: list[dict], why: str) -> list[dict]:
    """At most ROWS of the rows, the same everywhere, and other ones for each purpose."""
    return sorted(rows, key=lambda row: bucket(f"{why} {row['input']}", 1 << 62))[:ROWS]


def length_of(row: dict) -> str:
    return row["slice"].split("/")[1]


def hindi_rows(test: list[dict]) -> Iterator[dict]:
    for row in test:
        if row["label"] == "hin" and length_of(row) != "words":
            yield {"input": hindi.romanised(row["input"]), "label": "hin", "slice": f"romanised Hindi, {length_of(row)}"}


def capitals(text: str, language: str) -> str:
    return (text.replace("i", "İ") if language in DOTTED else text).upper()


def capital_rows(test: list[dict]) -> Iterator[dict]:
    cased = [row for row in test if row["label"] not in CASELESS and row["input"].lower() != row["input"].upper()]
    # Most letters: a text in another script that names one in Latin letters has no capitals.
    cased = [row for row in cased if _share(row["input"], lambda c: c.lower() != c.upper()) > 0.5]
    for length in data.LENGTHS.values():
        for row in some([row for row in cased if length_of(row) == length], "capitals"):
            text = capitals(row["input"], row["label"])
            yield {"input": text, "label": row["label"], "slice": f"all capitals, {length}"}


def _share(text: str, what: Callable[[str], bool]) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum(map(what, letters)) / max(1, len(letters))


def found(pattern: re.Pattern, texts: list[str]) -> list[str]:
    return sorted({match for text in texts for match in pattern.findall(text)}, key=lambda one: bucket(one, 1 << 62))


def address_rows(test: list[dict], tweets: list[dict], mails: list[dict]) -> Iterator[dict]:
    """Sentences with addresses and tags in them, and addresses alone. All are real ones but those of mailboxes."""
    urls = found(ADDRESS, [row["input"] for row in mails + tweets])
    # A host has few addresses here, as a mailing list would else be half of them.
    by_host = Counter()
    few = []
    for url in urls:
        host = url.split("/")[2].split(":")[0]
        by_host[host] += 1
        if by_host[host] <= 3 and "." in host:
            few.append(url)
    tags = found(TAG, [row["input"] for row in tweets])
    sentences = some([row for row in test if length_of(row) == "sentences"], "address")
    pairs = some([row for row in test if length_of(row) == "pairs"], "address")
    # The same texts without and with it show what it does.
    for name, texts in (("sentences", sentences), ("word pairs", pairs)):
        made = {"a link or an e-mail address": [], "a #tag or an @name": []}
        for at, row in enumerate(texts):
            url, tag = few[at % len(few)], tags[at % len(tags)]
            host = url.split("/")[2].removeprefix("www.")
            links = (url, f"{host}/{'/'.join(url.split('/')[3:])}", f"info@{host}")
            made["a link or an e-mail address"].append(f"{row['input']} {links[at % len(links)]}")
            made["a #tag or an @name"].append(f"{row['input']} {tag}" if at % 2 else f"@{tag[1:]} {row['input']}")
        for kind, inputs in (("nothing more", [row["input"] for row in texts]), *made.items()):
            for row, text in zip(texts, inputs, strict=True):
                yield {"input": text, "label": row["label"], "slice": f"{name} with {kind}"}
    marked = [row for row in tweets if len(re.findall(r"https?://|(?<!\w)[@#]\w", row["input"])) >= 2]
    for row in some(marked, "tweets"):
        yield {"input": row["input"], "label": "eng", "slice": "English tweets with links, @names, #tags"}
    for row in some([{"input": url} for url in few], "bare"):
        yield row | {"slice": "a link alone"}
        yield {"input": row["input"].split("//")[1], "slice": "a link alone, without http://"}


def snippets(path: Path, language: str) -> Iterator[tuple[str, bool]]:
    """Some lines of a file of code that follow each other, and whether a comment is among them."""
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    marks = tuple(COMMENTS[language].split())
    quoted, kinds = False, []
    for line in lines:
        stripped = line.strip()
        quotes = line.count('"""') if language == "python" else 0
        kinds.append(quoted or quotes > 0 or bool(marks) and stripped.startswith(marks))
        quoted ^= quotes % 2 == 1
    for start in range(0, len(lines), LINES_OF_CODE):
        chosen = lines[start : start + LINES_OF_CODE]
        unreadable = max(map(len, chosen)) > 200 or "\N{REPLACEMENT CHARACTER}" in "".join(chosen)
        if len(chosen) < LINES_OF_CODE_AT_LEAST or unreadable:
            continue
        comments = sum(kinds[start : start + LINES_OF_CODE])
        # A snippet that is mostly comment is a text.
        if 2 * comments <= len(chosen):
            yield "\n".join(chosen), comments > 0


def code_rows(files: list[dict]) -> Iterator[dict]:
    taken, seen = Counter(), set()
    for file in sorted(files, key=lambda row: bucket(Path(row["path"]).name, 1 << 62)):
        path = Path(file["path"])
        language = ENDINGS.get(path.suffix.lower())
        # The mails of the spam data, as JSON, are texts.
        if language is None or "datasets-spam-assassin" in path.parts:
            continue
        of_file = Counter()
        for text, commented in sorted(snippets(path, language), key=lambda one: bucket(one[0], 1 << 62)):
            slice_name = "code with English comments" if commented else "code"
            key = data.normalised(text)
            if key in seen or of_file[commented] >= PER_FILE or taken[language, commented] >= PER_CODE_LANGUAGE:
                continue
            seen.add(key)
            of_file[commented] += 1
            taken[language, commented] += 1
            # The comments are a text in English, and nothing else in the snippet is.
            yield {"input": text, "slice": slice_name} | ({"label": "eng"} if commented else {})


def mixed_rows(test: list[dict]) -> Iterator[dict]:
    """Two sentences of two languages after each other. The language of the one with more letters counts as right."""
    # The scripts that write words in one or two letters would never be the longer ones.
    dense = {"cmn", "jpn", "kor"}
    sentences = [row for row in test if length_of(row) == "sentences" and row["label"] not in dense]
    sentences = [row for row in sentences if 20 <= len(row["input"]) <= 200]
    latin = {row["label"] for row in sentences if _share(row["input"], lambda c: c < "\u0250") > 0.9}
    in_latin = [row for row in sentences if row["label"] in latin]
    in_others = [row for row in sentences if row["label"] not in latin]
    for name, others in (("one script", in_latin), ("two scripts", in_others)):
        firsts, seconds = some(in_latin, f"mixed, {name}, first"), some(others, f"mixed, {name}, second")
        for at, (one, other) in enumerate(zip(firsts, seconds, strict=False)):
            letters = [sum(map(str.isalpha, row["input"])) for row in (one, other)]
            if one["label"] == other["label"] or letters[0] == letters[1]:
                continue
            right = one if letters[0] > letters[1] else other
            texts = [one["input"], other["input"]]
            text = " ".join(texts if at % 2 else reversed(texts))
            half = "one half longer" if max(letters) >= 2 * min(letters) else "halves"
            yield {"input": text, "label": right["label"], "slice": f"two languages, {name}, {half}"}


def rows(out: Path) -> Iterator[dict]:
    test, tweets, mails = (read(out / f"{name}.jsonl") for name in ("language.test", "tweets", "spam"))
    yield from hindi_rows(test)
    yield from capital_rows(test)
    yield from address_rows(test, tweets, mails)
    yield from code_rows(read(out / "filetype.sample.jsonl"))
    yield from mixed_rows(test)


def make(out: Path, work: Path) -> None:
    hindi.check()
    data.make(out, work)
    made = list(rows(out))
    write_lines(out / "language.beyond.jsonl", made)
    for slice_name, count in Counter(row["slice"] for row in made).items():
        print(f"language.beyond, {slice_name}: {count}")


if __name__ == "__main__":
    sys.exit(sources.command(__doc__, "language.beyond.jsonl", make))
