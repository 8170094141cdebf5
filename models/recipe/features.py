"""What the library does to an input before a model sees it, written a second time to measure and check the models."""

import json
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

# ECMAScript's \s, which is neither Python's str.isspace nor Unicode's White_Space.
JS_SPACE = frozenset(
    "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
)
GROUPS = ("unigrams", "bigrams", "trigrams", "quadgrams")


def _collapse(text: str) -> str:
    """Runs of two or more spaces become one ' '; a single one, even a line break, stays what it is."""
    out: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if character in JS_SPACE else 0
        if run == 2:
            out[-1] = " "
        elif run < 2:
            out.append(character)
    return "".join(out)


def lande_normalised(text: str) -> str:
    while "--" in text:
        text = text.replace("--", "-")
    text = text.replace("-", " ")
    text = "".join(c for c in text if c in JS_SPACE or unicodedata.category(c)[0] in "LM")
    return f" {_collapse(text).lower().strip(''.join(JS_SPACE))} "


def ngram_frequencies(texts: list[str], ngrams: dict[str, list[str]]) -> np.ndarray:
    """f32 [texts, 620]; counted over UTF-16 code units, as JavaScript slices strings."""
    out = np.zeros((len(texts), sum(len(ngrams[group]) for group in GROUPS)), np.float32)
    for row, text in enumerate(texts):
        encoded = lande_normalised(text).encode("utf-16-le")
        units = [encoded[i : i + 2] for i in range(0, len(encoded), 2)]
        column = 0
        for size, group in enumerate(GROUPS, start=1):
            windows = Counter(b"".join(units[i : i + size]) for i in range(len(units) - size + 1))
            total = max(len(units) - size + 1, 1)
            for gram in ngrams[group]:
                out[row, column] = windows[gram.encode("utf-16-le")] / total
                column += 1
    return out


def bare_tokenizer(source: Path) -> dict:
    """The published tokenizer without truncation and padding, which would silently cut long inputs."""
    tokenizer = json.loads(source.read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    return tokenizer


def token_ids(tokenizer: dict, texts: list[str]) -> list[list[int]]:
    encoder = Tokenizer.from_str(json.dumps(tokenizer))
    return [encoding.ids for encoding in encoder.encode_batch(texts, add_special_tokens=False)]
