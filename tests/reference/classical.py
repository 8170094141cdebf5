#!/usr/bin/env python3
"""Writes classical models as ONNX files, with inputs and with what the libraries themselves answer to them.

    python3 -m venv venv && venv/bin/pip install -r requirements-classical.txt
    venv/bin/python classical.py OUT [--only PART] [--runtime]
    cargo run --release -p smallfirst-onnx --example conformance -- OUT --tolerance 1e-5 --list

Each model is fitted on a data set that comes with scikit-learn, with a fixed seed, and gets a folder of its own with `model.onnx`
and `test_data_set_0/input_0.pb`, `output_0.pb` and so on. The outputs are those of `predict`, `predict_proba`,
`decision_function` or `transform`. `--runtime` also says where ONNX Runtime differs from them.
"""

import argparse
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn import (
    cluster, datasets, decomposition, discriminant_analysis, ensemble, feature_selection, gaussian_process,
    impute, linear_model, multiclass, naive_bayes, neighbors, neural_network,
    preprocessing, svm, tree,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion, make_pipeline
from xgboost import XGBClassifier, XGBRegressor

warnings.filterwarnings("ignore")
SEED = 7
ROWS = 40
OPSET = {"": 18, "ai.onnx.ml": 3}

REVIEWS = [
    ("the film was a joy from start to end", 1), ("a dull plot and worse acting", 0),
    ("great cast, great songs and a great ending", 1), ("i left after an hour of noise", 0),
    ("funny and warm, my children loved it", 1), ("the jokes were old and the pace was slow", 0),
    ("one of the best films of the year", 1), ("not worth the price of the ticket", 0),
    ("clever, moving and well told", 1), ("a waste of a good book", 0),
    ("the music alone is worth the visit", 1), ("nothing in it made sense to me", 0),
]


def sample(name, classes=None):
    """A data set as float32, so that both precisions see the same numbers."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if classes is not None:
        keep = np.isin(y, classes)
        x, y = x[keep], y[keep]
    order = np.random.RandomState(SEED).permutation(len(x))
    return x[order].astype(np.float32), y[order]


def holes(x):
    """The same with missing values."""
    x = x.copy()
    x[np.random.RandomState(SEED).rand(*x.shape) < 0.1] = np.nan
    return x


IRIS, CANCER, WINE = sample("iris"), sample("breast_cancer"), sample("wine")
DIABETES, DIGITS = sample("diabetes"), sample("digits")
IRIS_HOLES = (holes(IRIS[0]), IRIS[1])
DIABETES_HOLES = (holes(DIABETES[0]), DIABETES[1])
CANCER_HOLES = (holes(CANCER[0]), CANCER[1])
NAMES = np.array(["setosa", "versicolor", "virginica"])
IRIS_NAMES = (IRIS[0], NAMES[IRIS[1]])
CANCER_NAMES = (CANCER[0], np.array(["malignant", "benign"])[CANCER[1]])
POSITIVE = (np.abs(IRIS[0]), IRIS[1])
TWO_TARGETS = (DIABETES[0], np.stack([DIABETES[1], DIABETES[1][::-1]], 1))
SMALL = (DIABETES[0][:120], DIABETES[1][:120])


def scaled(model):
    return make_pipeline(preprocessing.StandardScaler(), model)


def forest(kind, **more):
    return kind(n_estimators=12, random_state=SEED, **more)


CLASSIFIERS = {
    "logistic_binary": (linear_model.LogisticRegression(max_iter=3000), CANCER),
    "logistic_multi": (scaled(linear_model.LogisticRegression()), IRIS),
    "logistic_names": (scaled(linear_model.LogisticRegression()), IRIS_NAMES),
    "logistic_one_against_rest": (multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=500)), IRIS),
    "logistic_pairs": (multiclass.OneVsOneClassifier(linear_model.LogisticRegression(max_iter=500)), IRIS),
    "logistic_cv": (scaled(linear_model.LogisticRegressionCV(cv=3)), IRIS),
    "sgd_log": (scaled(linear_model.SGDClassifier(loss="log_loss", random_state=SEED)), IRIS),
    "sgd_hinge": (scaled(linear_model.SGDClassifier(random_state=SEED)), CANCER),
    "ridge_classifier": (scaled(linear_model.RidgeClassifier()), IRIS),
    "perceptron": (scaled(linear_model.Perceptron(random_state=SEED)), IRIS),
    "passive_aggressive": (scaled(linear_model.PassiveAggressiveClassifier(random_state=SEED)), IRIS),
    "linear_svc_multi": (scaled(svm.LinearSVC(random_state=SEED)), IRIS),
    "linear_svc_binary": (scaled(svm.LinearSVC(random_state=SEED)), CANCER),
    "svc_rbf": (svm.SVC(random_state=SEED), IRIS),
    "svc_binary": (scaled(svm.SVC(random_state=SEED)), CANCER),
    "svc_binary_probability": (scaled(svm.SVC(probability=True, random_state=SEED)), CANCER),
    "svc_probability": (svm.SVC(probability=True, random_state=SEED), IRIS),
    "svc_names": (svm.SVC(probability=True, random_state=SEED), IRIS_NAMES),
    "svc_binary_names": (scaled(svm.SVC(random_state=SEED)), CANCER_NAMES),
    "svc_linear": (svm.SVC(kernel="linear", random_state=SEED), IRIS),
    "svc_poly": (scaled(svm.SVC(kernel="poly", coef0=0.5, probability=True, random_state=SEED)), WINE),
    "svc_sigmoid": (scaled(svm.SVC(kernel="sigmoid", probability=True, random_state=SEED)), WINE),
    "nu_svc": (svm.NuSVC(probability=True, random_state=SEED), IRIS),
    "nu_svc_scores": (svm.NuSVC(random_state=SEED), IRIS),
    "tree_binary": (tree.DecisionTreeClassifier(max_depth=4, random_state=SEED), CANCER),
    "tree_multi": (tree.DecisionTreeClassifier(random_state=SEED), IRIS),
    "tree_names": (tree.DecisionTreeClassifier(max_depth=3, random_state=SEED), IRIS_NAMES),
    "extra_tree": (tree.ExtraTreeClassifier(random_state=SEED), WINE),
    "forest_binary": (forest(ensemble.RandomForestClassifier), CANCER),
    "forest_multi": (forest(ensemble.RandomForestClassifier), DIGITS),
    "forest_names": (forest(ensemble.RandomForestClassifier), CANCER_NAMES),
    "extra_trees": (forest(ensemble.ExtraTreesClassifier), WINE),
    "boosting_binary": (forest(ensemble.GradientBoostingClassifier), CANCER),
    "boosting_multi": (forest(ensemble.GradientBoostingClassifier), IRIS),
    "boosting_exponential": (forest(ensemble.GradientBoostingClassifier, loss="exponential"), CANCER),
    "hist_boosting_binary": (ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=SEED), CANCER),
    "hist_boosting_multi": (ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=SEED), IRIS),
    "hist_boosting_missing": (ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=SEED), CANCER_HOLES),
    "ada_boost_binary": (forest(ensemble.AdaBoostClassifier), CANCER),
    "ada_boost_multi": (forest(ensemble.AdaBoostClassifier), IRIS),
    "bagging": (forest(ensemble.BaggingClassifier), IRIS),
    "voting_soft": (ensemble.VotingClassifier([
        ("l", linear_model.LogisticRegression(max_iter=500)), ("t", tree.DecisionTreeClassifier(max_depth=3, random_state=SEED)),
    ], voting="soft", flatten_transform=False), IRIS),
    "stacking": (ensemble.StackingClassifier([
        ("l", linear_model.LogisticRegression(max_iter=500)), ("t", tree.DecisionTreeClassifier(max_depth=3, random_state=SEED)),
    ], cv=3), IRIS),
    "calibrated": (CalibratedClassifierCV(linear_model.LogisticRegression(max_iter=500), cv=3), IRIS),
    "calibrated_isotonic": (CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=3, method="isotonic"), CANCER),
    "neighbours": (neighbors.KNeighborsClassifier(), IRIS),
    "neighbours_distance": (neighbors.KNeighborsClassifier(weights="distance", n_neighbors=7), WINE),
    "bayes_gaussian": (naive_bayes.GaussianNB(), IRIS),
    "bayes_multinomial": (naive_bayes.MultinomialNB(), POSITIVE),
    "bayes_complement": (naive_bayes.ComplementNB(), POSITIVE),
    "bayes_bernoulli": (naive_bayes.BernoulliNB(binarize=2.0), POSITIVE),
    "bayes_categorical": (make_pipeline(preprocessing.Binarizer(threshold=2.0), naive_bayes.CategoricalNB()), POSITIVE),
    "perceptrons_binary": (scaled(neural_network.MLPClassifier((8,), max_iter=60, random_state=SEED)), CANCER),
    "perceptrons_multi": (scaled(neural_network.MLPClassifier((8, 6), activation="tanh", max_iter=60, random_state=SEED)), IRIS),
    "lda": (discriminant_analysis.LinearDiscriminantAnalysis(), IRIS),
    "qda": (discriminant_analysis.QuadraticDiscriminantAnalysis(), IRIS),
    "pca_logistic": (make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(3), linear_model.LogisticRegression()), WINE),
    "imputed_forest": (make_pipeline(impute.SimpleImputer(strategy="median"), forest(ensemble.RandomForestClassifier)), IRIS_HOLES),
    "selected": (make_pipeline(feature_selection.SelectKBest(k=5), linear_model.LogisticRegression(max_iter=3000)), CANCER),
    "polynomial_logistic": (make_pipeline(
        preprocessing.MinMaxScaler(), preprocessing.PolynomialFeatures(2), linear_model.LogisticRegression()), IRIS),
    "normalised": (make_pipeline(preprocessing.Normalizer("l1"), linear_model.LogisticRegression()), IRIS),
}

REGRESSORS = {
    "linear": (linear_model.LinearRegression(), DIABETES),
    "linear_two_targets": (linear_model.LinearRegression(), TWO_TARGETS),
    "ridge": (linear_model.Ridge(), DIABETES),
    "lasso": (linear_model.Lasso(0.1), DIABETES),
    "elastic_net": (linear_model.ElasticNet(0.01), DIABETES),
    "bayesian_ridge": (linear_model.BayesianRidge(), DIABETES),
    "huber": (linear_model.HuberRegressor(max_iter=1000), DIABETES),
    "poisson": (linear_model.PoissonRegressor(), DIABETES),
    "svr": (svm.SVR(C=50.0), DIABETES),
    "svr_poly": (svm.SVR(kernel="poly", C=50.0), DIABETES),
    "nu_svr": (svm.NuSVR(C=50.0), DIABETES),
    "linear_svr": (svm.LinearSVR(C=50.0, random_state=SEED), DIABETES),
    "tree_regressor": (tree.DecisionTreeRegressor(max_depth=5, random_state=SEED), DIABETES),
    "tree_two_targets": (tree.DecisionTreeRegressor(max_depth=5, random_state=SEED), TWO_TARGETS),
    "forest_regressor": (forest(ensemble.RandomForestRegressor), DIABETES),
    "extra_trees_regressor": (forest(ensemble.ExtraTreesRegressor), DIABETES),
    "boosting_regressor": (forest(ensemble.GradientBoostingRegressor), DIABETES),
    "hist_boosting_regressor": (ensemble.HistGradientBoostingRegressor(max_iter=12, random_state=SEED), DIABETES),
    "hist_boosting_regressor_missing": (ensemble.HistGradientBoostingRegressor(max_iter=12, random_state=SEED), DIABETES_HOLES),
    "ada_boost_regressor": (forest(ensemble.AdaBoostRegressor), DIABETES),
    "bagging_regressor": (forest(ensemble.BaggingRegressor), DIABETES),
    "voting_regressor": (ensemble.VotingRegressor([
        ("l", linear_model.LinearRegression()), ("t", tree.DecisionTreeRegressor(max_depth=3, random_state=SEED))]), DIABETES),
    "stacking_regressor": (ensemble.StackingRegressor([
        ("l", linear_model.LinearRegression()), ("t", tree.DecisionTreeRegressor(max_depth=3, random_state=SEED))]), DIABETES),
    "neighbours_regressor": (neighbors.KNeighborsRegressor(), DIABETES),
    "perceptrons_regressor": (neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, random_state=SEED), DIABETES),
    "gaussian_process_regressor": (gaussian_process.GaussianProcessRegressor(
        kernel=gaussian_process.kernels.RBF(0.3), alpha=1.0), SMALL),
    "one_class": (svm.OneClassSVM(), IRIS),
}

TRANSFORMERS = {
    "standard_scaler": (preprocessing.StandardScaler(), WINE),
    "robust_scaler": (preprocessing.RobustScaler(), WINE),
    "max_abs_scaler": (preprocessing.MaxAbsScaler(), WINE),
    "min_max_scaler_clipped": (preprocessing.MinMaxScaler(clip=True), WINE),
    "normalizer_l2": (preprocessing.Normalizer("l2"), IRIS),
    "binarizer": (preprocessing.Binarizer(threshold=2.0), IRIS),
    "simple_imputer": (impute.SimpleImputer(), IRIS_HOLES),
    "imputer_indicator": (impute.SimpleImputer(strategy="most_frequent"), IRIS_HOLES),
    "knn_imputer": (impute.KNNImputer(n_neighbors=3), IRIS_HOLES),
    "pca": (decomposition.PCA(2), IRIS),
    "pca_whitened": (decomposition.PCA(2, whiten=True), IRIS),
    "truncated_svd": (decomposition.TruncatedSVD(2, random_state=SEED), IRIS),
    "polynomial": (preprocessing.PolynomialFeatures(2), IRIS),
    "power": (preprocessing.PowerTransformer(), IRIS),
    "bins": (preprocessing.KBinsDiscretizer(4, encode="onehot-dense"), IRIS),
    "function_union": (FeatureUnion([("p", decomposition.PCA(2)), ("s", preprocessing.StandardScaler())]), IRIS),
    "k_means": (cluster.KMeans(3, n_init=2, random_state=SEED), IRIS),
}


# What converters make another model of than it is: ONNX Runtime answers to these files as they stand, and not as the libraries do.
# They are only written when `--only` names them.
MISTAKEN = {
    "calibrated_isotonic", "neighbours_distance", "knn_imputer",
    "text_tfidf_sublinear",  # log(1 + tf) in the place of 1 + log(tf)
    "xgb_logistic_regressor",  # without the logistic function
    "lgb_random_forest",  # the logistic function before the mean
}


class Case:
    def __init__(self, name, model, rows, expected):
        """`rows`: an array for each input; `expected`: a function that gives an array for each output."""
        self.name, self.model, self.rows, self.expected = name, model, rows, expected


def scores(model, rows):
    """What stands beside the labels: probabilities where a model has them."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(rows)
    given = model.decision_function(rows)
    if given.ndim == 2:
        return given
    # Of two classes a library gives the second one's score, and a model that of each.
    return np.stack([-given, given], 1)


def classified(name, fitted, x, options, double=False):
    kind = DoubleTensorType if double else FloatTensorType
    rows = x[:ROWS].astype(np.float64 if double else np.float32)
    model = to_onnx(fitted, initial_types=[("X", kind([None, x.shape[1]]))], options=options, target_opset=OPSET)
    return Case(name, model, [rows], lambda: [fitted.predict(rows), scores(fitted, rows)])


def cases():
    for name, (model, (x, y)) in CLASSIFIERS.items():
        def make(name=name, model=model, x=x, y=y):
            fitted = model.fit(x, y)
            raw = {} if hasattr(fitted, "predict_proba") else {"raw_scores": True}
            # Not every converter has both options, and a pipeline hands them on to its last step.
            last = fitted.steps[-1][1] if hasattr(fitted, "steps") else fitted
            for options in [{"zipmap": False, **raw}, {"zipmap": False}, raw, {}]:
                try:
                    return classified(name, fitted, x, {id(last): options} if options else None)
                except NameError:
                    continue
            raise NameError("no options fit")
        yield name, make
    for name in ["logistic_binary", "logistic_names", "forest_multi", "svc_probability", "boosting_binary", "forest_names"]:
        def make(name=name):
            model, (x, y) = CLASSIFIERS[name]
            return classified(f"{name}_zipmap", model.fit(x, y), x, None)
        yield f"{name}_zipmap", make
    for name in ["logistic_multi", "bayes_gaussian", "lda", "perceptrons_multi", "neighbours", "pca_logistic"]:
        def make(name=name):
            model, (x, y) = CLASSIFIERS[name]
            fitted = model.fit(x.astype(np.float64), y)
            return classified(f"{name}_double", fitted, x, {id(fitted): {"zipmap": False}}, double=True)
        yield f"{name}_double", make
    for double in [False, True]:
        for name, (model, (x, y)) in REGRESSORS.items():
            if double and name not in ("linear", "linear_two_targets", "ridge", "neighbours_regressor", "perceptrons_regressor"):
                continue
            own = f"{name}_double" if double else name

            def make(name=own, model=model, x=x, y=y, double=double):
                kind, dtype = (DoubleTensorType, np.float64) if double else (FloatTensorType, np.float32)
                fitted = model.fit(x.astype(dtype), y)
                rows = x[:ROWS].astype(dtype)
                proto = to_onnx(fitted, initial_types=[("X", kind([None, x.shape[1]]))], target_opset=OPSET)
                if name == "one_class":
                    return Case(name, proto, [rows], lambda: [fitted.predict(rows), fitted.decision_function(rows)])
                return Case(name, proto, [rows], lambda: [fitted.predict(rows)])
            yield own, make
    for name, (model, (x, y)) in TRANSFORMERS.items():
        def make(name=name, model=model, x=x):
            # Distances are differences of large numbers: in 32 bits they are those of the library only roughly.
            kind, dtype = (DoubleTensorType, np.float64) if name == "k_means" else (FloatTensorType, np.float32)
            fitted, rows = model.fit(x.astype(dtype)), x[:ROWS].astype(dtype)
            proto = to_onnx(fitted, initial_types=[("X", kind([None, x.shape[1]]))], target_opset=OPSET)
            if name == "k_means":
                return Case(name, proto, [rows], lambda: [fitted.predict(rows), fitted.transform(rows)])
            return Case(name, proto, [rows], lambda: [fitted.transform(rows)])
        yield name, make
    yield from columns()
    yield from texts()
    yield from boosted()


def columns():
    """Models of mixed columns, one input each."""
    random = np.random.RandomState(SEED)
    frame = pd.DataFrame({
        "town": random.choice(["Bern", "Genf", "Zürich"], 120), "kind": random.choice(["a", "b"], 120),
        "rooms": random.randint(1, 6, 120).astype(np.int64), "size": random.rand(120).astype(np.float32) * 100,
        "age": random.rand(120).astype(np.float32) * 50,
    })
    frame.loc[random.rand(120) < 0.1, "size"] = np.nan
    price = frame["size"].fillna(50) * 3 + frame["rooms"] * 20 + (frame["town"] == "Genf") * 80
    types = [("town", StringTensorType([None, 1])), ("kind", StringTensorType([None, 1])),
             ("rooms", Int64TensorType([None, 1])), ("size", FloatTensorType([None, 1])), ("age", FloatTensorType([None, 1]))]
    numeric = make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    encoders = {
        "one_hot": preprocessing.OneHotEncoder(handle_unknown="ignore"),
        "one_hot_first_dropped": preprocessing.OneHotEncoder(drop="first"),
        "ordinal": preprocessing.OrdinalEncoder(),
    }
    models = {"logistic": linear_model.LogisticRegression(max_iter=500), "forest": forest(ensemble.RandomForestClassifier)}
    rows = [frame[[column]].to_numpy()[:ROWS] for column in frame]
    rows = [row.astype(object) if at < 2 else row for at, row in enumerate(rows)]
    for encoder, transformer in encoders.items():
        for kind, model in models.items():
            name = f"columns_{encoder}_{kind}"

            def make(name=name, transformer=transformer, model=model):
                parts = ColumnTransformer([("c", transformer, ["town", "kind"]), ("n", numeric, ["size", "age"]),
                                           ("r", "passthrough", ["rooms"])])
                fitted = make_pipeline(parts, model).fit(frame, (price > price.median()).astype(int))
                proto = to_onnx(fitted, initial_types=types, options={id(fitted): {"zipmap": False}}, target_opset=OPSET)
                head = frame[:ROWS]
                return Case(name, proto, rows, lambda: [fitted.predict(head), fitted.predict_proba(head)])
            yield name, make


def texts():
    words, y = np.array([text for text, _ in REVIEWS], dtype=object), np.array([label for _, label in REVIEWS])
    unseen = np.array(["a great book, and a warm ending", "the price of noise", "joy", "Worse than OLD songs!", "..."], dtype=object)
    rows = np.concatenate([words, unseen])
    kinds = {
        "tfidf": TfidfVectorizer(token_pattern="[a-zA-Z0-9_]+"),
        "tfidf_bigrams": TfidfVectorizer(ngram_range=(1, 2), token_pattern="[a-zA-Z0-9_]+"),
        "tfidf_sublinear": TfidfVectorizer(sublinear_tf=True, token_pattern="[a-zA-Z0-9_]+"),
        "tfidf_stop_words": TfidfVectorizer(stop_words=["the", "a", "and", "of"], token_pattern="[a-zA-Z0-9_]+"),
        "tfidf_two_letters": TfidfVectorizer(token_pattern="\\b\\w\\w+\\b"),
        "tfidf_characters": TfidfVectorizer(analyzer="char", ngram_range=(2, 3)),
        "counts": CountVectorizer(token_pattern="[a-zA-Z0-9_]+"),
        "counts_binary": CountVectorizer(binary=True, token_pattern="[a-zA-Z0-9_]+"),
        "counts_case": CountVectorizer(lowercase=False, token_pattern="[a-zA-Z]+"),
    }
    for kind, vectorizer in kinds.items():
        for shape in ["line", "column"]:
            if shape == "column" and kind != "tfidf":
                continue
            name = f"text_{kind}" if shape == "line" else f"text_{kind}_column"

            def make(name=name, vectorizer=vectorizer, shape=shape):
                if shape == "line":
                    fitted = make_pipeline(vectorizer, linear_model.LogisticRegression()).fit(words, y)
                    given, asked = rows, rows
                else:
                    parts = ColumnTransformer([("t", vectorizer, 0)])
                    fitted = make_pipeline(parts, linear_model.LogisticRegression()).fit(words.reshape(-1, 1), y)
                    given = asked = rows.reshape(-1, 1)
                types = [("X", StringTensorType([None] if shape == "line" else [None, 1]))]
                proto = to_onnx(fitted, initial_types=types, options={id(fitted): {"zipmap": False}}, target_opset=OPSET)
                return Case(name, proto, [given], lambda: [fitted.predict(asked), fitted.predict_proba(asked)])
            yield name, make


def boosted():
    """XGBoost and LightGBM, as their own converter writes them."""
    def case(name, fitted, x, convert, zipmap=None):
        rows = x[:ROWS]
        more = {} if zipmap is None else {"zipmap": zipmap}
        proto = convert(fitted, initial_types=[("X", ToolsFloat([None, x.shape[1]]))], target_opset=15, **more)
        if hasattr(fitted, "predict_proba"):
            return Case(name, proto, [rows], lambda: [fitted.predict(rows), fitted.predict_proba(rows)])
        return Case(name, proto, [rows], lambda: [fitted.predict(rows)])

    few = {"n_estimators": 15, "max_depth": 4, "random_state": SEED, "n_jobs": 1}
    quiet = {"n_estimators": 15, "random_state": SEED, "n_jobs": 1, "verbose": -1}
    xgb = {
        "xgb_binary": (XGBClassifier(**few), CANCER), "xgb_multi": (XGBClassifier(**few), IRIS),
        "xgb_missing": (XGBClassifier(**few), CANCER_HOLES), "xgb_regressor": (XGBRegressor(**few), DIABETES),
        "xgb_base_score": (XGBClassifier(base_score=0.3, **few), CANCER),
        "xgb_regressor_missing": (XGBRegressor(**few), DIABETES_HOLES),
        "xgb_poisson": (XGBRegressor(objective="count:poisson", **few), DIABETES),
        "xgb_forest": (XGBRegressor(n_estimators=1, num_parallel_tree=5, subsample=0.8, max_depth=4, random_state=SEED), DIABETES),
        "xgb_logistic_regressor": (XGBRegressor(objective="reg:logistic", **few), (CANCER[0], CANCER[1].astype(np.float32))),
    }
    for name, (model, (x, y)) in xgb.items():
        yield name, lambda name=name, model=model, x=x, y=y: case(name, model.fit(x, y), x, convert_xgboost)
    lgb = {
        "lgb_binary": (LGBMClassifier(**quiet), CANCER), "lgb_multi": (LGBMClassifier(**quiet), IRIS),
        "lgb_missing": (LGBMClassifier(**quiet), CANCER_HOLES), "lgb_regressor": (LGBMRegressor(**quiet), DIABETES),
        "lgb_random_forest": (LGBMClassifier(boosting_type="rf", bagging_fraction=0.7, bagging_freq=1, **quiet), CANCER),
        "lgb_names": (LGBMClassifier(**quiet), IRIS_NAMES),
    }
    for name, (model, (x, y)) in lgb.items():
        yield name, lambda name=name, model=model, x=x, y=y: case(
            name, model.fit(x, y), x, convert_lightgbm, False if hasattr(model, "predict_proba") else None)
    yield "lgb_multi_zipmap", lambda: case("lgb_multi_zipmap", LGBMClassifier(**quiet).fit(*IRIS), IRIS[0], convert_lightgbm)
    yield "lgb_binary_zipmap", lambda: case("lgb_binary_zipmap", LGBMClassifier(**quiet).fit(*CANCER), CANCER[0], convert_lightgbm)


# Shapes that a converter gives labels, other than it declares.
SHAPES = {"qda": (1, -1), "logistic_pairs": (-1, 1)}
TYPES = {1: np.float32, 7: np.int64, 8: object, 11: np.float64, 6: np.int32}


def fitting(answer, output):
    """An answer of a library in the type and shape that the model declares."""
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    kind = output.type.tensor_type
    declared = kind.elem_type if output.type.HasField("tensor_type") else 1
    answer = np.asarray(answer).astype(TYPES[declared])
    rank = len(kind.shape.dim) if output.type.HasField("tensor_type") and kind.HasField("shape") else answer.ndim
    if answer.ndim == 1 and rank == 2:
        answer = answer.reshape(-1, 1)
    return answer


def write(case, folder, runtime):
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    proto = case.model
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    for at, rows in enumerate(case.rows):
        (data / f"input_{at}.pb").write_bytes(numpy_helper.from_array(rows, proto.graph.input[at].name).SerializeToString())
    outputs = [fitting(answer, output) for answer, output in zip(case.expected(), proto.graph.output, strict=True)]
    if case.name in SHAPES:
        outputs[0] = outputs[0].reshape(SHAPES[case.name])
    for at, answer in enumerate(outputs):
        (data / f"output_{at}.pb").write_bytes(numpy_helper.from_array(answer, proto.graph.output[at].name).SerializeToString())
    if runtime:
        compare(case, outputs)


def compare(case, outputs):
    import onnxruntime

    try:
        runs(case, outputs, onnxruntime)
    except Exception as why:
        print(f"runtime {case.name}: {str(why).strip().splitlines()[0][:200]}")


def runs(case, outputs, onnxruntime):
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = dict(zip([i.name for i in session.get_inputs()], case.rows, strict=True))
    for output, given, expected in zip(session.get_outputs(), session.run(None, feeds), outputs, strict=True):
        if isinstance(given, list):
            given = np.array([list(row.values()) for row in given])
        if given.shape != expected.shape:
            print(f"runtime {case.name}: {output.name} is {given.shape} and not {expected.shape}")
        elif expected.dtype == object or expected.dtype.kind == "i":
            wrong = (given != expected).sum()
            if wrong:
                print(f"runtime {case.name}: {wrong} of {output.name} differ")
        elif not np.allclose(given, expected, rtol=1e-5, atol=1e-5, equal_nan=True):
            far = np.abs(given - expected) - 1e-5 * np.abs(expected)
            print(f"runtime {case.name}: {output.name} differs by up to {far.max():.2g}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--runtime", action="store_true")
    options = parser.parse_args()
    written, failed = 0, 0
    for name, make in cases():
        if options.only not in name or (name in MISTAKEN and options.only != name):
            continue
        try:
            write(make(), options.out / name, options.runtime)
            written += 1
        except Exception as why:  # What a converter cannot do is said and left out.
            failed += 1
            shutil.rmtree(options.out / name, ignore_errors=True)
            print(f"left out {name}: {type(why).__name__}: {str(why).strip().splitlines()[0][:200] if str(why).strip() else ''}")
    print(f"{written} models written, {failed} left out")
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())
