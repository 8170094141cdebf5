"""Recordings of voices and of music for the tests of crates/sound: voices.py OUT.

Downloads Debian's packages of Asterisk's prompts (`apt-get download`: nothing is installed, no script of a package is run),
unpacks them with `dpkg-deb -x`, and leaves the sounds at OUT/<package>/, a file of licences beside them. They are 8 kHz, 16
bits, one channel. The prompts are under CC-BY-SA-3.0 (en, es, fr, ru: Digium; it: Carlo Sartore's recordings under the
same), the music under the licences that its CREDITS and LICENSE files name (CC-BY and CC-BY-SA, by OpSound's artists): the
packages' own words are kept as OUT/<package>/copyright. Nothing of this is a part of the repository.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = [f"asterisk-core-sounds-{language}-wav" for language in ("en", "es", "fr", "it", "ru")]
PACKAGES.append("asterisk-moh-opsound-wav")


def fetch(package: str, out: Path) -> int:
    """Unpacks a package's sounds, once, and says how many there are."""
    into = out / package
    if not into.exists():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder, check=True)
            (deb,) = Path(folder).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", str(deb), f"{folder}/tree"], check=True)
            tree = Path(folder) / "tree"
            made = into.with_suffix(".part")
            shutil.rmtree(made, ignore_errors=True)
            for path in sorted(tree.rglob("*.wav")):
                # Links to another voice of the same prompt would count it twice.
                if path.is_symlink():
                    continue
                to = made / "__".join(path.relative_to(tree / "usr/share/asterisk").parts)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
            shutil.copyfile(tree / "usr/share/doc" / package / "copyright", made / "copyright")
            made.rename(into)
    return len(list(into.glob("*.wav")))


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        print(f"{package}: {fetch(package, out)} sounds")


if __name__ == "__main__":
    main()
