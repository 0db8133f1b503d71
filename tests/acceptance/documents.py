"""Small documents with text to search for."""

from __future__ import annotations

from pathlib import Path

SUBJECTS = ("heron", "glacier", "loom", "quarry", "harbour", "orchard", "beacon", "tannery")


def write_text(folder: Path, number: int) -> Path:
    """Write a text file about a unique subject; return its path."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    path = folder / f"{subject}-{number}.txt"
    path.write_text(
        f"Report {number}. The {subject} was inspected and {number} faults were found.\n"
    )
    return path


def pdf(text: str) -> bytes:
    """Return a PDF of one page with `text`."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body = b"%PDF-1.4\n"
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer
