#!/usr/bin/env python3
"""Makes the binary files of files/ anew: small ones of kinds that people drop on a page.

    pip install pillow==13.0.0 python-docx==1.2.0 openpyxl==3.1.5 python-pptx==1.0.2 fpdf2==2.8.9 odfpy==1.4.1 \\
        av==18.1.0 fonttools==4.68.0 brotli==1.2.1 py7zr==1.1.4 numpy==2.4.6 setuptools==81.0.0
    python3 make_files.py

The files are committed, so nobody else needs these packages: they are here because such files come from such programs.
Their contents and those of the text files beside them were written for this project and are under its licence, but for
launcher.exe, which is setuptools' launcher of scripts (MIT). Two runs differ in the times that some formats record.
"""

import gzip
import io
import math
import random
import sqlite3
import subprocess
import tarfile
import tempfile
import wave
import zipfile
from importlib import resources
from pathlib import Path

import av
import docx
import numpy as np
import openpyxl
import pptx
import py7zr
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fpdf import FPDF
from odf.opendocument import OpenDocumentSpreadsheet, OpenDocumentText
from odf.table import Table, TableCell, TableRow
from odf.text import H, P
from PIL import Image, ImageDraw

FILES = Path(__file__).resolve().parent / "files"
RATE = 22_050
LETTER = [
    "Dear Ms Nair,",
    "thank you for your letter of 2 May. The boiler will be looked at next week, between eight and twelve.",
    "Please leave the cellar open. We are sorry for the cold days.",
    "Kind regards, Anna Berger",
]
BILL = [("Item", "Number", "Price"), ("Broad beans", 12, 2.8), ("Chard", 7, 2.2), ("Soil, 20 l", 3, 4.5)]


def office() -> None:
    letter = docx.Document()
    letter.add_heading("Heating", 1)
    for paragraph in LETTER:
        letter.add_paragraph(paragraph)
    letter.save(FILES / "letter.docx")

    book = openpyxl.Workbook()
    for row in BILL:
        book.active.append(row)
    book.active["C6"] = "=SUMPRODUCT(B2:B4,C2:C4)"
    book.save(FILES / "bill.xlsx")

    talk = pptx.Presentation()
    slide = talk.slides.add_slide(talk.slide_layouts[1])
    slide.shapes.title.text = "Spring meeting"
    slide.placeholders[1].text = "Plant sale\nPosters\nThe hedge"
    talk.save(FILES / "talk.pptx")

    text = OpenDocumentText()
    text.text.addElement(H(outlinelevel=1, text="Heating"))
    for paragraph in LETTER:
        text.text.addElement(P(text=paragraph))
    text.save(str(FILES / "letter.odt"))

    sheet = OpenDocumentSpreadsheet()
    table = Table(name="Bill")
    for row in BILL:
        line = TableRow()
        for value in row:
            cell = TableCell()
            cell.addElement(P(text=str(value)))
            line.addElement(cell)
        table.addElement(line)
    sheet.spreadsheet.addElement(table)
    sheet.save(str(FILES / "bill.ods"))

    page = FPDF()
    page.add_page()
    page.set_font("Helvetica", size=12)
    for paragraph in LETTER:
        page.multi_cell(0, 8, paragraph, new_x="LMARGIN", new_y="NEXT")
    page.output(str(FILES / "letter.pdf"))


def photo(width: int = 96, height: int = 72, moved: int = 0) -> Image.Image:
    """A sun over a field, with the noise of a camera."""
    noise = random.Random(7)
    image = Image.new("RGB", (width, height), (120, 170, 230))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 2 // 3, width, height), fill=(60, 120, 50))
    draw.ellipse((60 - moved, 8, 84 - moved, 32), fill=(250, 220, 90))
    pixels = np.asarray(image, dtype=np.int16)
    grain = np.array([noise.gauss(0, 4) for _ in range(pixels.size)]).reshape(pixels.shape)
    return Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))


def pictures() -> None:
    image = photo()
    image.save(FILES / "photo.jpg", quality=80)
    image.save(FILES / "photo.webp", quality=70)
    image.resize((48, 36)).save(FILES / "scan.tiff", compression="tiff_lzw")
    image.save(FILES / "photo.pdf", "PDF")
    image.resize((48, 36)).save(FILES / "picture.bmp")
    flat = image.quantize(16)
    flat.save(FILES / "screenshot.png", optimize=True)
    frames = [photo(moved=10 * step).quantize(16) for step in range(3)]
    frames[0].save(FILES / "sunset.gif", save_all=True, append_images=frames[1:], duration=200, loop=0)
    image.resize((32, 32)).save(FILES / "favicon.ico", sizes=[(16, 16), (32, 32)])


def tone(seconds: float) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * math.pi * 440 * at) * np.exp(-3 * at)).astype(np.int16)


def sounds() -> None:
    with wave.open(str(FILES / "bell.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tone(0.3).tobytes())
    for name, codec in (("bell.mp3", "libmp3lame"), ("bell.flac", "flac"), ("bell.ogg", "libopus")):
        with av.open(str(FILES / name), "w") as file:
            stream = file.add_stream(codec, rate=48_000 if codec == "libopus" else RATE, layout="mono")
            stream.open()
            resampler = av.AudioResampler(stream.format, "mono", stream.rate, frame_size=stream.frame_size)
            frame = av.AudioFrame.from_ndarray(tone(1).reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = RATE
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                file.mux(stream.encode(part))
    for name, codec in (("clip.mp4", "libx264"), ("clip.webm", "libvpx-vp9")):
        with av.open(str(FILES / name), "w") as file:
            stream = file.add_stream(codec, rate=5)
            stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
            for step in range(5):
                file.mux(stream.encode(av.VideoFrame.from_image(photo(moved=8 * step))))
            file.mux(stream.encode(None))


def archives() -> None:
    names = ["notes.txt", "contacts.csv", "logo.svg"]
    with zipfile.ZipFile(FILES / "album.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(FILES / name, f"album/{name}")
    with tarfile.open(FILES / "backup.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(FILES / "notes.txt", "backup/notes.txt", filter=nobody)
    with tarfile.open(FILES / "backup.tar.gz", "w:gz") as archive:
        for name in names:
            archive.add(FILES / name, f"backup/{name}", filter=nobody)
    with py7zr.SevenZipFile(FILES / "backup.7z", "w") as archive:
        for name in names:
            archive.write(FILES / name, name)
    with zipfile.ZipFile(FILES / "book.epub", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")  # uncompressed, and the first
        book.writestr(
            "META-INF/container.xml",
            '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        book.writestr(
            "book.opf",
            '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
            '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">garden-1</dc:identifier>'
            "<dc:title>The garden</dc:title><dc:language>en</dc:language></metadata><manifest>"
            '<item id="c1" href="c1.xhtml" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="c1"/></spine></package>',
        )
        text = "".join(f"<p>{paragraph}</p>" for paragraph in LETTER)
        book.writestr("c1.xhtml", f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{text}</body></html>')


def nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 1000
    member.uname = member.gname = "anna"
    member.mtime = 1_714_600_000
    return member


def others() -> None:
    (FILES / "garden.sqlite").unlink(missing_ok=True)
    with sqlite3.connect(FILES / "garden.sqlite") as database:
        database.execute("CREATE TABLE plant (id INTEGER PRIMARY KEY, name TEXT, sown DATE)")
        plants = [("Broad bean", "2024-02-20"), ("Chard", "2024-03-30"), ("Leek", "2024-04-02")]
        database.executemany("INSERT INTO plant (name, sown) VALUES (?, ?)", plants)

    builder = FontBuilder(1000, isTTF=True)
    glyphs = [".notdef", "space", *"ABCDEFGH"]
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({32: "space"} | {ord(c): c for c in "ABCDEFGH"})
    drawn = {}
    for at, name in enumerate(glyphs):
        pen = TTGlyphPen(None)
        if name != "space":
            corners = [(100, 0), (100, 700), (300 + 40 * at, 700), (600, 0)]
            pen.moveTo(corners[0])
            for corner in corners[1:]:
                pen.lineTo(corner)
            pen.closePath()
        drawn[name] = pen.glyph()
    builder.setupGlyf(drawn)
    builder.setupHorizontalMetrics({name: (700, 100) for name in glyphs})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Garden", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(FILES / "garden.ttf")
    font = TTFont(FILES / "garden.ttf")
    font.flavor = "woff2"
    font.save(FILES / "garden.woff2")

    (FILES / "launcher.exe").write_bytes(resources.files("setuptools").joinpath("cli-32.exe").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "hello.c"
        source.write_text('#include <stdio.h>\nint main(void) { puts("Hello."); return 0; }\n')
        subprocess.run(["cc", "-Os", "-s", "-o", FILES / "hello", source], check=True)
    (FILES / "log.txt.gz").write_bytes(gzip.compress(("The pump started.\n" * 40).encode(), mtime=0))
    buffer = io.BytesIO()
    np.save(buffer, np.linspace(0, 1, 50))
    (FILES / "curve.npy").write_bytes(buffer.getvalue())
    # (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
    add = "0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b"
    (FILES / "add.wasm").write_bytes(bytes.fromhex(add))


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    office()
    pictures()
    sounds()
    archives()
    others()
    for path in sorted(FILES.iterdir()):
        print(path.stat().st_size, path.name)
