"""Short sentences about whether something is so, in which negation decides the attitude: the texts have few of them.

The words are those of the lexicon of vaderSentiment, which ten people rated each; the sentences are put together here. No
sentence of the behavioural tests is among them.
"""

import json
from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np

import sources

LEXICON = "vaderSentiment/vader_lexicon.txt"
BEHAVIOUR = sources.RECIPE / "behaviour" / "sentiment.jsonl"
# Words of which the raters are not agreed, and weak ones, are left out.
LEAST_VALENCE, MOST_DEVIATION = 1.2, 1.0
# Endings of adjectives; of other words a sentence makes no sense.
ENDINGS = ("able", "ible", "ful", "less", "ous", "ive", "ant", "ent", "ing", "ed", "y", "ic", "al")
OTHERS = ("ly", "ity", "ty", "ment", "ncy", "cy", "my")
PLAIN = ("bad", "poor", "rude", "sad", "mean", "dull", "weak", "sick", "cruel", "evil", "good", "nice", "great", "fine", "kind")
THINGS = (
    "service trip screen meal driver seat book game sound app price view song lesson guide flat show coffee waiter keyboard "
    "hotel camera shop bus teacher doctor plan design answer weather"
).split()
FAULTS = "problem fault error delay mistake noise mess stain scratch damage trouble complaint issue bug crash leak".split()
PLACES = (
    "in the kitchen|on the table|red|blue|open today|made of wood|in the list|from Italy|on the left|here yet|next door|"
    "at the station|for children|in English|on Monday|part of the set|two metres long|his brother's|in this street|square"
).split("|")
POSITIVE, NEUTRAL, NEGATIVE = {"positive": 1.0}, {"neutral": 1.0}, {"negative": 1.0}
# Who denies a fault praises, or only says how it is.
DENIED = {"positive": 0.5, "neutral": 0.5}


def _adjectives(work: Path, known: Container[str]) -> dict[str, list[str]]:
    text = sources.require(sources.sdist(work, "vaderSentiment"), LEXICON, "lexicon").read_text("utf-8")
    found: dict[str, list[str]] = {"positive": [], "negative": []}
    for line in text.splitlines():
        word, valence, deviation = line.split("\t")[:3]
        adjective = word.endswith(ENDINGS) and not word.endswith(OTHERS)
        if word not in known or not (adjective or word in PLAIN):
            continue
        if abs(float(valence)) >= LEAST_VALENCE and float(deviation) <= MOST_DEVIATION:
            found["positive" if float(valence) > 0 else "negative"].append(word)
    return found


def _is(random: np.random.Generator, negated: bool) -> str:
    if not negated:
        return random.choice(["is", "was", "really is", "was so", "is very"])
    return random.choice(["is not", "isn't", "was not", "wasn't", "is never", "was not at all", "isn't really"])


def _sentence(random: np.random.Generator, adjectives: dict[str, list[str]]) -> tuple[str, dict[str, float]]:
    thing, kind, negated = random.choice(THINGS), random.random(), bool(random.random() < 0.75)
    if kind < 0.6:
        polarity = "negative" if random.random() < 0.6 else "positive"
        word = random.choice(adjectives[polarity])
        label = {"positive": POSITIVE, "negative": NEGATIVE}[polarity]
        if negated:
            label = DENIED if polarity == "negative" else NEGATIVE
        subject = random.choice([f"The {thing}", f"This {thing}", "It", f"Our {thing}"])
        end = random.choice(["", " at all"]) if negated else ""
        return f"{subject} {_is(random, negated)} {word}{end}", label
    if kind < 0.8:
        fault = random.choice(FAULTS)
        if not negated:
            return f"The {thing} {random.choice(['has a', 'had one', 'came with a'])} {fault}", NEGATIVE
        form = random.choice(["without a {0}", "no {0} with the {1}", "the {1} has no {0}", "not one {0} in a year", "no {0} at all"])
        return form.format(fault, thing), DENIED
    return f"The {thing} {_is(random, negated)} {random.choice(PLACES)}", NEUTRAL


def sentences(
    work: Path, known: Container[str], random: np.random.Generator, count: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """So many sentences of frequent words, those `known`, and the probabilities of their labels."""
    adjectives = _adjectives(work, known)
    tests = {json.loads(line)["input"].lower().rstrip(".!") for line in BEHAVIOUR.read_text("utf-8").splitlines()}
    while count > 0:
        text, label = _sentence(random, adjectives)
        if text.lower() in tests:
            continue
        count -= 1
        text = text[0].upper() + text[1:] if random.random() < 0.8 else text
        yield text + random.choice([".", ".", "!", ""]), label
