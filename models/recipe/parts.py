#!/usr/bin/env python3
"""Makes what the default bundle's tasks are built from: the text encoder, and the models that come trained.

    python3 parts.py --out DIR --data DIR [--work DIR]

`cargo xtask models` runs it, and makes the bundle of its output with `smallfirst`. Two runs on the same machine write
the same bytes.
"""

import sys

from common import Folders, command
from encoder import build_encoder
from file_type import build_file_type
from language import build_language


def build(folders: Folders) -> None:
    build_encoder(folders)
    build_language(folders)
    build_file_type(folders)


if __name__ == "__main__":
    sys.exit(command(__doc__, build))
