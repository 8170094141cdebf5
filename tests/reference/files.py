"""Real ONNX files with inputs and onnxruntime's outputs: files.py OUT [--only PART] [--archives DIR].

files.json lists the files, the packages that they are in, and how their inputs are made. For each file this writes
OUT/<name>/model.onnx (and the files that its weights are in) and, for each of two sizes, a folder test_data_set_<n> as
ONNX's own backend tests have it: a message for each input that is not a weight and for each output.

Expected are the outputs with onnxruntime's default optimisations. Beside them are unoptimized_<n>.pb, what it gives
without any, and perturbed_<n>.pb, what it gives without any where each weight is changed by some parts in a million,
which is what approximations of exp and tanh differ by: of a few such changes, the one that moves the output most.
OUT/differences.json tells how far these are from what is expected: no engine can be held to more than that.
Models whose activations are rounded to 8 bits amplify such a change, some a lot. Nothing of a package is run.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from archives import archive, member

LIST = Path(__file__).with_name("files.json")
CHANGE = {onnx.TensorProto.FLOAT: 2.0**-17, onnx.TensorProto.FLOAT16: 2.0**-10, onnx.TensorProto.DOUBLE: 2.0**-17}
QUANTIZING = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLSTM"}
PERTURBATIONS = 3
# Two numbers are the same within these; as the example `conformance` of crates/onnx has it.
RELATIVE, ABSOLUTE = 1e-3, 1e-5


def made(how: dict, shape: list[int], dtype: np.dtype, sizes: dict, at: int, random: np.random.Generator) -> np.ndarray:
    """An input: the first key of `how` says what it holds."""
    number = lambda bound: sizes[bound] if isinstance(bound, str) else bound
    if "uniform" in how:
        return random.uniform(*how["uniform"], shape).astype(dtype)
    if "normal" in how:
        return random.normal(0, how["normal"], shape).astype(dtype)
    if "tone" in how:  # of another pitch in each row, since noise has none
        each = np.arange(int(np.prod(shape[1:]))) * 0.09 * (1 + 0.3 * np.arange(shape[0])[:, None])
        sound = np.sin(each) + 0.5 * np.sin(2 * each) + 0.2 * np.sin(3 * each)
        return (how["tone"] * sound + random.normal(0, 0.01, sound.shape)).reshape(shape).astype(dtype)
    if "text" in how:
        return text(*how["text"], shape, random).astype(dtype)
    if "integers" in how:
        low, high = map(number, how["integers"])
        return random.integers(low, high, shape).astype(dtype)
    if "sorted" in how:  # non-decreasing, each number of the range at least once
        low, high = map(number, how["sorted"])
        every = np.arange(low, high)
        rest = random.integers(low, high, shape[0] - len(every))
        return np.sort(np.concatenate([every, rest])).astype(dtype)
    if "value" in how:
        return np.full(shape, number(how["value"]), dtype)
    if "values" in how:  # one for each of the two sizes
        return np.array(how["values"][at], dtype).reshape(shape)
    if "strings" in how:
        return np.array(how["strings"], object)[random.integers(0, len(how["strings"]), shape)]
    raise ValueError(f"{how} says nothing that is known")


def text(dark: float, light: float, shape: list[int], random: np.random.Generator) -> np.ndarray:
    """Pictures of something like lines of text, since noise shows a reader of text nothing: every output would be 0."""
    pictures = np.full(shape, light)
    height, width = shape[-2:]
    tall = max(12, min(24, height // 2))
    for picture in pictures:
        for top in range(tall // 3, height - tall, 2 * tall):
            for left in range(4, width - 12, 12):
                if random.random() < 0.15:
                    continue  # a space
                letter = np.repeat(np.repeat(random.random((tall // 3, 3)) < 0.55, 3, axis=0), 3, axis=1)
                picture[..., top : top + letter.shape[0], left : left + 9][..., letter] = dark
    return pictures + random.normal(0, abs(light - dark) / 100, shape)


def tensor(value) -> np.ndarray:
    """An output; of the maps that ZipMap makes, the values, a row for each map."""
    return np.array([list(row.values()) for row in value], np.float32) if isinstance(value, list) else np.asarray(value)


def message(name: str, value: np.ndarray) -> bytes:
    return numpy_helper.from_array(value, name).SerializeToString()


def perturbed(path: Path, seed: int) -> bytes:
    """The model with each weight changed by some parts in a million; lengths and the like are left alone."""
    proto = onnx.load_model(str(path))
    random = np.random.default_rng(seed)
    constants = [node for node in proto.graph.node if node.op_type == "Constant"]
    inside = [part.t for node in constants for part in node.attribute if part.name == "value"]
    scales = {name for node in proto.graph.node if node.op_type in QUANTIZING for name in node.input}
    for weight in [*proto.graph.initializer, *inside]:
        if weight.data_type in CHANGE and (np.prod(weight.dims) >= 32 or weight.name in scales):
            value = numpy_helper.to_array(weight)
            change = 1 + random.normal(0, CHANGE[weight.data_type], value.shape)
            weight.CopyFrom(numpy_helper.from_array((value * change).astype(value.dtype), weight.name))
    return proto.SerializeToString()


def session(model: str | bytes, level: ort.GraphOptimizationLevel) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    options.log_severity_level = 3
    return ort.InferenceSession(model, options, ["CPUExecutionProvider"])


def difference(one: np.ndarray, two: np.ndarray) -> dict | None:
    """How far two outputs are apart; `None` where they are the same within the tolerance."""
    if one.dtype == object or not np.issubdtype(one.dtype, np.floating):
        return None if np.array_equal(one, two) else {"off": int((one != two).sum()), "of": one.size}
    if one.shape != two.shape:
        return {"off": f"{list(one.shape)} and {list(two.shape)}"}
    a, b = one.astype(np.float64), two.astype(np.float64)
    with np.errstate(invalid="ignore"):
        near = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= ABSOLUTE + RELATIVE * np.abs(a))
    if near.all():
        return None
    most, scale = float(np.nanmax(np.abs(a - b))), float(np.nanmax(np.abs(a)))
    return {"off": int((~near).sum()), "of": a.size, "most": most, "scale": scale}


def write(entry: dict, out: Path, archives: Path) -> dict:
    folder = out / entry["name"]
    folder.mkdir(parents=True, exist_ok=True)
    path = archive(entry, archives)
    model = folder / "model.onnx"
    model.write_bytes(member(path, entry["path"], entry["sha256"]))
    for beside in entry.get("beside", []):
        (folder / beside["name"]).write_bytes(member(path, beside["path"], beside["sha256"]))
    proto = onnx.load_model(str(model), load_external_data=False)
    weights = {weight.name for weight in proto.graph.initializer}
    names = [port.name for port in proto.graph.input if port.name not in weights]
    if names != list(entry["inputs"]):
        raise SystemExit(f"error: {entry['name']} takes {names}, and files.json has {list(entry['inputs'])}")
    numpy_type = onnx.helper.tensor_dtype_to_np_dtype
    types = {port.name: numpy_type(port.type.tensor_type.elem_type) for port in proto.graph.input}
    plain = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    default = session(str(model), ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    others = {"unoptimized": [session(str(model), plain)]}
    others["perturbed"] = [session(perturbed(model, seed), plain) for seed in range(PERTURBATIONS)]
    apart = {}
    for at, sizes in enumerate(entry["sizes"]):
        random = np.random.default_rng([at, *entry["sha256"].encode()])
        inputs = {}
        for name, how in entry["inputs"].items():
            shape = [sizes[length] if isinstance(length, str) else length for length in how["shape"]]
            inputs[name] = made(how, shape, types[name], sizes, at, random)
        results = [tensor(value) for value in default.run(None, inputs)]
        data = folder / f"test_data_set_{at}"
        data.mkdir(exist_ok=True)
        for index, (name, value) in enumerate(inputs.items()):
            (data / f"input_{index}.pb").write_bytes(message(name, value))
        for index, (port, value) in enumerate(zip(default.get_outputs(), results)):
            (data / f"output_{index}.pb").write_bytes(message(port.name, value))
        for kind, sessions in others.items():
            runs = [[tensor(value) for value in other.run(None, inputs)] for other in sessions]
            for index, (port, value) in enumerate(zip(default.get_outputs(), results)):
                found = [(difference(value, run[index]), run[index]) for run in runs]
                worst, other = max(found, key=lambda pair: (pair[0] or {}).get("most", 0))
                (data / f"{kind}_{index}.pb").write_bytes(message(port.name, other))
                if worst is not None:
                    apart[f"{kind} {at} {port.name}"] = worst
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of the files")
    parser.add_argument("--archives", type=Path, help="where the packages are kept (OUT/../files-archives)")
    options = parser.parse_args()
    archives = options.archives or options.out.parent / "files-archives"
    differences = options.out / "differences.json"
    apart = json.loads(differences.read_text()) if differences.is_file() else {}
    for entry in json.loads(LIST.read_text()):
        if options.only not in entry["name"]:
            continue
        start = time.monotonic()
        apart[entry["name"]] = write(entry, options.out, archives)
        differing = f", differs: {json.dumps(apart[entry['name']])}" if apart[entry["name"]] else ""
        print(f"{entry['name']}: {time.monotonic() - start:.1f} s{differing}", flush=True)
    differences.write_text(json.dumps(apart, indent=1) + "\n")


if __name__ == "__main__":
    main()
