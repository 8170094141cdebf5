"""Trains a scikit-learn model on vectors of ours and exports it as a user would: vectors.jsonl model.onnx."""

import json
import sys

import numpy as np
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
x = np.array([row["vector"] for row in rows], np.float32)
y = np.array([row["label"] for row in rows])
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x, y)
with open(sys.argv[2], "wb") as out:
    out.write(to_onnx(model, x[:1]).SerializeToString())
print(",".join(model.classes_))
