"""Reads JSON lines with "path" and writes magika's own answer for each: {"label": "python", "score": 0.99}.

The label is the model's own (`dl`), before the package's per-label rules; "undefined" where it did not ask the model.
"""

import json
import sys

from magika import Magika

magika = Magika()
for line in sys.stdin:
    result = magika.identify_path(json.loads(line)["path"])
    prediction = result.prediction
    print(json.dumps({"label": str(prediction.dl.label), "score": float(prediction.score)}))
