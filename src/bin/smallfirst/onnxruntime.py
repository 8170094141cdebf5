"""Runs ONNX files in onnxruntime. What is to be run lies beside this file in index.json, arrays as raw little-endian numbers;
what came out is written beside it, answer.json last."""

import json
import sys

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

NAMES = {
    "tensor(float)": "f4",
    "tensor(float16)": "f2",
    "tensor(double)": "f8",
    "tensor(int8)": "i1",
    "tensor(int16)": "i2",
    "tensor(int32)": "i4",
    "tensor(int64)": "i8",
    "tensor(uint8)": "u1",
    "tensor(uint16)": "u2",
    "tensor(uint32)": "u4",
    "tensor(uint64)": "u8",
    "tensor(bool)": "?",
}


def run(number, model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model["file"], options, providers=["CPUExecutionProvider"])
    types = {given.name: given.type for given in session.get_inputs()}
    first = session.get_outputs()[0].name
    outputs = []
    for trial, given in enumerate(model["trials"]):
        feeds = {}
        for one in given:
            array = numpy.fromfile(one["file"], one["type"]).reshape(one["shape"])
            feeds[one["name"]] = array.astype(NAMES[types[one["name"]]])
        value = numpy.asarray(session.run([first], feeds)[0])
        if value.dtype.kind not in "biuf":
            raise TypeError(f"the output {first} is not of numbers")
        kind = "<f4" if value.dtype.kind == "f" else "<i8"
        file = f"{number}-{trial}.out"
        value.astype(kind).tofile(file)
        outputs.append({"file": file, "type": kind, "shape": list(value.shape)})
    return {"output": first, "outputs": outputs}


def main():
    answers = []
    with open("index.json", encoding="utf-8") as index:
        models = json.load(index)
    for number, model in enumerate(models):
        try:
            answers.append(run(number, model))
        except Exception as error:  # Whatever it is, the other models are asked about all the same.
            answers.append({"error": f"{type(error).__name__}: {error}"})
    with open("answer.json", "w", encoding="utf-8") as answer:
        json.dump({"version": onnxruntime.__version__, "models": answers}, answer)


main()
