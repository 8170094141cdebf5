"""tokenizer.json for models whose packages have their tokens in another form."""

from checkpoints import pickled


def special(vocabulary: dict[str, int], names: list[str]) -> list[dict]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": vocabulary[name], "content": name, **flags} for name in names]


def template(vocabulary: dict[str, int], before: list[str], after: list[str]) -> dict:
    """What is put around a text, and around two."""
    piece = lambda name, kind: {"SpecialToken": {"id": name, "type_id": kind}}
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    single = [*(piece(n, 0) for n in before), text("A", 0), *(piece(n, 0) for n in after)]
    pair = [*single, text("B", 1), *(piece(n, 1) for n in after)]
    used = {name: {"id": name, "ids": [vocabulary[name]], "tokens": [name]} for name in [*before, *after]}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": used}


def tokenizer(added: list[dict], normalizer, pre_tokenizer, post_processor, decoder, model: dict) -> dict:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }


def words(vocabulary: dict[str, int], prefix: str, longest: int) -> dict:
    """A model that looks whole words up; WordPiece is the kind of it that everybody reads."""
    kind = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix}
    return {**kind, "max_input_chars_per_word": longest, "vocab": vocabulary}


def split(pattern: str) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def tiktoken(content: bytes, begin: str) -> tuple[dict, dict[str, int]]:
    """A pickled encoding of tiktoken as byte-level BPE, with `begin` in front of a text; and the special tokens."""
    state = pickled(content, [("tiktoken.core", "Encoding")]).state
    ranks, specials = state["mergeable_ranks"], state["special_tokens"]
    letters = byte_letters()
    spelled = lambda token: "".join(letters[byte] for byte in token)
    pairs = [joined(token, rank, ranks) for token, rank in sorted(ranks.items(), key=lambda item: item[1]) if len(token) > 1]
    vocabulary = {spelled(token): rank for token, rank in ranks.items()} | specials
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocabulary,
        "merges": [[spelled(part) for part in pair] for pair in pairs],
    }
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    pre = {"type": "Sequence", "pretokenizers": [split(state["pat_str"]), bytes_]}
    added = special(vocabulary, list(specials))
    return tokenizer(added, None, pre, template(vocabulary, [begin], []), {**bytes_, "use_regex": True}, model), specials


def byte_letters() -> dict[int, str]:
    """The letter that byte-level BPE writes for each byte: itself where it can be seen."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + at) for at, byte in enumerate(rest)}


def joined(token: bytes, rank: int, ranks: dict[bytes, int]) -> list[bytes]:
    """The two parts that a token was joined of: tiktoken keeps only the order."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        least, at = min((ranks.get(parts[at] + parts[at + 1], rank), at) for at in range(len(parts) - 1))
        if least >= rank:
            raise ValueError(f"{token!r} is not made of two tokens")
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
