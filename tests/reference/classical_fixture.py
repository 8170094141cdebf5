"""Makes tests/fixtures/classical.json of what classical.py wrote: small models of each library with five rows, for the browser's test.

    classical_fixture.py <folder that classical.py wrote>
"""

import base64
import json
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper

TO = Path(__file__).parent.parent / "fixtures/classical.json"
ROWS = 5
LIBRARIES = ("xgb", "lgb")
# The most bytes of a model, and of all of a kind.
MOST, MOST_BOOSTED = 4_000, 19_000


def tensor(path: Path):
    message = onnx.TensorProto()
    message.ParseFromString(path.read_bytes())
    array = numpy_helper.to_array(message)
    # Quadratic discriminants give a row of labels.
    return array[:, :ROWS] if array.ndim == 2 and array.shape[0] == 1 else array[:ROWS]


def described(array) -> dict:
    kind = "string" if array.dtype.kind in "OUS" else str(array.dtype)
    # JSON has no number for what is missing.
    data = [x.decode() if isinstance(x, bytes) else None if x != x else x for x in array.ravel().tolist()]
    return {"type": kind, "dims": list(array.shape), "data": data}


def main() -> None:
    models = []
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        path = folder / "model.onnx"
        if not path.exists():
            continue
        boosted = folder.name.startswith(LIBRARIES)
        if path.stat().st_size > (MOST_BOOSTED if boosted else MOST):
            continue
        graph = onnx.load(path).graph
        data = folder / "test_data_set_0"
        inputs = {v.name: described(tensor(data / f"input_{at}.pb")) for at, v in enumerate(graph.input)}
        outputs = {v.name: described(tensor(data / f"output_{at}.pb")) for at, v in enumerate(graph.output)}
        wide = sum(len(value["data"]) for value in inputs.values()) > 400
        if wide:
            continue
        model = base64.b64encode(path.read_bytes()).decode()
        models.append({"name": folder.name, "model": model, "inputs": inputs, "outputs": outputs})
    lines = ",\n".join(json.dumps(model, allow_nan=False) for model in models)
    TO.write_text(f"[\n{lines}\n]\n")
    print(f"{len(models)} models, {TO.stat().st_size} bytes")


if __name__ == "__main__":
    main()
