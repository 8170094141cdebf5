"""A smaller vocabulary: most of a BERT tokenizer's pieces never occur in a task's texts, and each costs a row of the table."""

import unicodedata
from collections import Counter

import numpy as np

import features

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# The last character of Latin Extended-B, and the block of dashes, quotation marks and ellipses.
LAST_LATIN = 0x24F
PUNCTUATION = range(0x2010, 0x2050)
LEAST_COUNT = 2


def _single(piece: str) -> bool:
    """Whether the piece is one character: with all of them, every word can be spelled and none becomes [UNK]."""
    text = piece.removeprefix("##")
    return len(text) == 1 and (ord(text) <= LAST_LATIN or ord(text) in PUNCTUATION)


def kept_pieces(tokenizer: dict, texts: list[str], size: int) -> list[str]:
    """`size` pieces in the order of the vocabulary, which is that of their frequency in English.

    The special ones and the single characters are taken first, then what the texts have, then the most frequent.
    """
    places = tokenizer["model"]["vocab"]
    pieces = sorted(places, key=places.get)
    counts = Counter(token for row in features.token_ids(tokenizer, texts) for token in row)
    wanted = [*SPECIAL, *filter(_single, pieces)]
    wanted += [pieces[token] for token, count in counts.most_common() if count >= LEAST_COUNT]
    wanted += [piece for piece in pieces if piece[0] != "[" and all(ord(c) <= LAST_LATIN for c in piece)]
    return sorted(list(dict.fromkeys(wanted))[:size], key=places.get)


def emoji_of(texts: list[str]) -> list[str]:
    """The emoji in the texts, none of which the published vocabulary has."""
    return sorted({c for text in texts for c in text if unicodedata.category(c) == "So" and ord(c) > LAST_LATIN})


def smaller_tokenizer(tokenizer: dict, kept: list[str], emoji: list[str]) -> dict:
    """The tokenizer with the pieces `kept`, and each emoji both as a word and as the continuation of one."""
    names = [*kept, *emoji, *(f"##{symbol}" for symbol in emoji)]
    places = {name: place for place, name in enumerate(names)}
    template = tokenizer["post_processor"]
    renumbered = {
        name: {**entry, "ids": [places[token] for token in entry["tokens"]]}
        for name, entry in template["special_tokens"].items()
    }
    return {
        **tokenizer,
        "added_tokens": [{**entry, "id": places[entry["content"]]} for entry in tokenizer["added_tokens"]],
        "model": {**tokenizer["model"], "vocab": places},
        "post_processor": {**template, "special_tokens": renumbered},
    }


def smaller_table(tokenizer: dict, table: np.ndarray, kept: list[str], emoji: list[str]) -> np.ndarray:
    """The rows of the smaller tokenizer's pieces; those of an emoji begin as the mean of its name's in Unicode."""
    places = tokenizer["model"]["vocab"]
    names = features.token_ids(tokenizer, [unicodedata.name(symbol, symbol) for symbol in emoji])
    of_emoji = [table[row].mean(axis=0) for row in names]
    return np.stack([*table[[places[piece] for piece in kept]], *of_emoji, *of_emoji])
