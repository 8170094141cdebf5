"""Downloads archives from pip's package index, whatever platform they are for, without building or installing them.

    python3 pip_archives.py DIR < LINES

Each line is "<package> <file name>". `pip download` would run the build script of a source package to learn what it
depends on; here pip only finds and fetches, with the index, proxies and certificates it is configured with.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pip._internal.commands.download import DownloadCommand
from pip._internal.models.target_python import TargetPython

PLATFORMS = ["manylinux2014_x86_64", "manylinux_2_28_x86_64", "win_amd64", "macosx_11_0_arm64"]
OPTIONS = ["--quiet", "--no-cache-dir", "--ignore-requires-python", "nothing"]
TRIES = 3


def main(folder: Path, wanted: list[list[str]]) -> None:
    command = DownloadCommand("download", "")
    with command.main_context():
        options, _ = command.parse_args(OPTIONS)
        session = command.get_default_session(options)
        target = TargetPython(platforms=PLATFORMS, py_version_info=(3, 11), implementation="cp")
        finder = command._build_package_finder(options, session, target, ignore_requires_python=True)

        def fetch(package: str, name: str) -> None:
            links = [found.link for found in finder.find_all_candidates(package) if found.link.filename == name]
            if not links:
                raise SystemExit(f"error: {package}: the index has no {name}")
            for attempt in range(TRIES):
                try:
                    answer = session.get(links[0].url_without_fragment, headers={"Accept-Encoding": "identity"})
                    answer.raise_for_status()
                    (folder / name).write_bytes(answer.content)
                    return
                except Exception as error:
                    if attempt + 1 == TRIES:
                        raise SystemExit(f"error: {name}: {error}") from error

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda line: fetch(*line), wanted))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [line.split() for line in sys.stdin])
