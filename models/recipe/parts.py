#!/usr/bin/env python3
"""Makes what the default bundle's tasks are built from: the text encoder, and the models that come trained.

    python3 parts.py --out DIR --data DIR [--work DIR]

`cargo xtask models` runs it, and makes the bundle of its output with `smallfirst`. Two runs on the same machine write
the same bytes.
"""

import argparse
import sys
from pathlib import Path

import sources
from common import Folders
from encoder import build_encoder
from file_type import build_file_type
from language import build_language


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the parts")
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled, split data")
    parser.add_argument("--work", type=Path, default=sources.DEFAULT_WORK, help="folder for fetched packages")
    arguments = parser.parse_args()
    folders = Folders(arguments.out, arguments.work, arguments.data)
    try:
        build_encoder(folders)
        build_language(folders)
        build_file_type(folders)
    except sources.MissingSource as error:
        print(f"parts.py: missing: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
