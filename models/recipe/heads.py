"""Classifiers that the encoder's dimension is chosen by; what ships is trained by `smallfirst train`."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

Layers = list[tuple[np.ndarray, np.ndarray]]
MAX_HEAD_BYTES = 32 * 1024


def _candidates(dimension: int, labels: int) -> dict[str, object]:
    """Every model tried, by a name that the card repeats; networks too large for a head are left out."""
    models: dict[str, object] = {}
    for strength in (1.0, 10.0):
        for weight in (None, "balanced"):
            name = f"logistic regression C={strength:g}{' class-balanced' if weight else ''}"
            models[name] = LogisticRegression(C=strength, class_weight=weight, max_iter=500)
    for hidden in (16, 30):
        if 4 * (hidden * (dimension + 1) + (hidden + 1) * labels) <= MAX_HEAD_BYTES:
            for decay in (0.1, 1.0, 10.0):
                options = {"alpha": decay, "max_iter": 40, "learning_rate_init": 2e-3, "random_state": 0}
                models[f"network with {hidden} hidden units, decay {decay:g}"] = MLPClassifier((hidden,), **options)
    return models


def _layers(model, scaler: StandardScaler) -> Layers:
    """The fitted model as dense layers on raw embeddings: the scaling is folded into the first layer."""
    if isinstance(model, MLPClassifier):
        layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    else:
        layers = [(model.coef_.T, model.intercept_)]
    weights, biases = layers[0]
    layers[0] = (weights / scaler.scale_[:, None], biases - (scaler.mean_ / scaler.scale_) @ weights)
    weights, biases = layers[-1]
    if weights.shape[1] == 1:  # two labels come as one score; spread it over two logits
        layers[-1] = (np.hstack([-weights / 2, weights / 2]), np.hstack([-biases / 2, biases / 2]))
    return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]


def logits(layers: Layers, x: np.ndarray) -> np.ndarray:
    for index, (weights, biases) in enumerate(layers):
        x = (np.maximum(x, 0) if index else x) @ weights + biases
    return x


def _fit(model, x: np.ndarray, y: np.ndarray) -> Layers:
    scaler = StandardScaler().fit(x)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is one of the choices
        model.fit(scaler.transform(x), y)
    return _layers(model, scaler)


def select(x: np.ndarray, y: np.ndarray, held_out: np.ndarray) -> tuple[str, dict[str, float]]:
    """The candidate with the best accuracy on the rows of train that are held out, and every accuracy."""
    scores = {}
    for name, model in _candidates(x.shape[1], len(np.unique(y))).items():
        layers = _fit(model, x[~held_out], y[~held_out])
        scores[name] = float((logits(layers, x[held_out]).argmax(axis=1) == y[held_out]).mean())
    return max(scores, key=scores.get), scores

