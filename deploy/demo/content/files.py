"""Attachments by name: what the ending says decides what is made."""

import zipfile
import zlib
from functools import cache
from io import BytesIO
from pathlib import PurePath

from deploy.demo.content.compose import File
from deploy.demo.content.pictures import DUSK, draw_harbour, grained, palette, picture

MEDIA = {
    ".png": "image/png", ".pdf": "application/pdf", ".zip": "application/zip",
    ".csv": "text/csv", ".txt": "text/plain", ".ics": "text/calendar",
}  # fmt: skip
LARGE = ("panel-A-dusk.png", "panel-B-day.png", "opening-night-01.png")  # as large as pictures in mail are


@cache
def make_file(name: str) -> File:
    """An attachment for a name such as `proof.png` or `Print specification.pdf`; raises KeyError for other kinds."""
    ending = PurePath(name).suffix.lower()
    return File(name=name, media=MEDIA[ending], content=_content(name, ending))


def _content(name: str, ending: str) -> bytes:
    title = PurePath(name).stem.replace("-", " ").replace("_", " ")
    title = title if title.isascii() else "Harbour Lane"  # the page's typeface knows no other scripts
    if ending == ".png":
        return picture(name, width=1100, height=720, grain=7) if name in LARGE else picture(name)
    if ending == ".pdf":
        lines = (
            title,
            "",
            "Harbour Lane, Quay 7, second floor (mind the third step)",
            "This page was made for the demo.",
        )
        return pdf(lines, illustrated="specification" in name or "booklet" in name)
    if ending == ".zip":
        return _zip(
            {f"{title}/readme.txt": f"{title}\n\nOpen the other one.\n", f"{title}/data.csv": "a;b\n1;2\n" * 900}
        )
    rows = "\r\n".join(f"{number};{number * 37 % 101};{number * 17 % 89}" for number in range(1, 120))
    return f"{title}\r\nno;in;out\r\n{rows}\r\n".encode()


def _zip(members: dict[str, str]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in members.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # without a date of its own it is the same every time
    return packed.getvalue()


def pdf(lines: tuple[str, ...], *, illustrated: bool = False) -> bytes:
    """One A4 page of Helvetica, the first line as heading, with a picture below when asked for (ISO 32000-1)."""
    words = b"BT /F1 20 Tf 56 770 Td 26 TL "
    for number, line in enumerate(lines):
        shown = line.encode("cp1252", "replace").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
        words += b"(" + shown + b") Tj T* " + (b"/F1 11 Tf 16 TL " if number == 0 else b"")
    page = words + b"ET" + (b" q 483 0 0 322 56 300 cm /Im1 Do Q" if illustrated else b"")
    extra = b"/XObject << /Im1 6 0 R >>" if illustrated else b""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> "
        + extra + b" >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]  # fmt: skip
    if illustrated:
        objects.append(_pdf_picture())
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(out))
    )


def _pdf_picture() -> bytes:
    width, height = 720, 480
    rows = grained(draw_harbour(width, height, seed=7), grain=3, seed=7)
    packed = zlib.compress(b"".join(rows), 1)
    colours = palette(DUSK)
    return (
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /Filter /FlateDecode "
        b"/ColorSpace [/Indexed /DeviceRGB %d <%b>] /Length %d >>\nstream\n%b\nendstream"
        % (width, height, len(colours) // 3 - 1, colours.hex().encode(), len(packed), packed)
    )
