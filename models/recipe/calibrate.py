"""Scores to decisions: the temperature and the certified threshold of a head."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binom

DELTA = 0.05
RISKS = (0.05, 0.10)
STEPS = 20


@dataclass(frozen=True)
class Threshold:
    value: float | None
    risk: float
    kept: int
    errors: int


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """Guo et al. 2017: one number that divides the logits, by negative log-likelihood."""

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scores[np.arange(len(truth)), truth].mean()

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 4)


def confidences(logits: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """The winning label and its calibrated probability."""
    probabilities = softmax(logits.astype(np.float64) / temperature, axis=1)
    return probabilities.argmax(axis=1), probabilities.max(axis=1)


def candidates(tune_confidence: np.ndarray, calibration_rows: int, risk: float) -> np.ndarray:
    """About STEPS thresholds, strictest first, fixed before the calibration split is looked at."""
    smallest = np.ceil(np.log(DELTA) / np.log(1 - risk))
    coverages = np.linspace(min(3 * smallest / calibration_rows, 1.0), 1.0, STEPS)
    return np.floor(np.quantile(tune_confidence, 1 - coverages) * 1e6) / 1e6


def walk(thresholds: np.ndarray, confidence: np.ndarray, right: np.ndarray, risk: float) -> Threshold:
    """Fixed-sequence testing: loosen while P(Bin(kept, risk) <= errors) <= DELTA; the last pass wins."""
    best = Threshold(None, risk, 0, 0)
    for threshold in thresholds:
        kept = confidence >= threshold
        errors = int((kept & ~right).sum())
        if binom.cdf(errors, int(kept.sum()), risk) > DELTA:
            break
        best = Threshold(round(float(threshold), 6), risk, int(kept.sum()), errors)
    return best


def certify(tune: tuple[np.ndarray, np.ndarray], cal: tuple[np.ndarray, np.ndarray]) -> Threshold:
    """The threshold at the smallest of RISKS that is within reach, given (confidence, right) of both splits.

    Which risk to aim for is decided on tune alone: trying one after the other on cal would spend DELTA twice.
    """
    for risk in RISKS:
        thresholds = candidates(tune[0], len(cal[0]), risk)
        if walk(thresholds, *tune, risk).value is not None or risk == RISKS[-1]:
            return walk(thresholds, *cal, risk)
    raise AssertionError("RISKS is empty")
