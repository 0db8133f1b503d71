"""Detects the MIME type of a file: by its content, or else by its name."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import PurePath

from raglive.extraction.model import Refusal
from raglive.extraction.readers.ole_container import CompoundFile
from raglive.extraction.readers.zip_container import DAMAGE_ERRORS
from raglive.extraction.text_encoding import looks_binary

__all__ = [
    "BINARY",
    "ENCRYPTED_OFFICE",
    "SYNONYMS",
    "UNREAD_ARCHIVES",
    "detect",
    "mime_of_name",
]

BINARY = "application/octet-stream"
ENCRYPTED_OFFICE = "application/x-encrypted-office"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
MBOX = "application/mbox"

_EXTENSIONS = {
    "pdf": "application/pdf",
    **dict.fromkeys(("docx", "docm", "dotx", "dotm"), DOCX),
    **dict.fromkeys(("pptx", "pptm", "ppsx", "potx"), PPTX),
    **dict.fromkeys(("xlsx", "xlsm", "xltx"), XLSX),
    "xlsb": XLSB,
    "odt": ODT,
    "ods": ODS,
    "odp": ODP,
    "epub": "application/epub+zip",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
    "rtf": "application/rtf",
    **dict.fromkeys(("html", "htm", "xhtml"), "text/html"),
    **dict.fromkeys(("md", "markdown", "mdx", "mkd"), "text/markdown"),
    "csv": "text/csv",
    **dict.fromkeys(("tsv", "tab"), "text/tab-separated-values"),
    **dict.fromkeys(("json", "geojson"), "application/json"),
    **dict.fromkeys(("jsonl", "ndjson"), "application/x-ndjson"),
    "ipynb": "application/x-ipynb+json",
    **dict.fromkeys(("xml", "xsd", "xsl", "dtd"), "application/xml"),
    **dict.fromkeys(("rss", "atom"), "application/rss+xml"),
    "svg": "image/svg+xml",
    **dict.fromkeys(("eml", "mht", "mhtml"), "message/rfc822"),
    **dict.fromkeys(("mbox", "mbx"), MBOX),
    **dict.fromkeys(("ics", "ifb"), "text/calendar"),
    **dict.fromkeys(("vcf", "vcard"), "text/vcard"),
    "zip": "application/zip",
    "tar": "application/x-tar",
    **dict.fromkeys(("gz", "tgz"), "application/gzip"),
    **dict.fromkeys(("bz2", "tbz2"), "application/x-bzip2"),
    **dict.fromkeys(("xz", "txz"), "application/x-xz"),
}
# Formats that are always binary: text with such a name is a broken download, not a document.
_NEVER_TEXT = {DOCX, PPTX, XLSX, XLSB, ODT, ODS, ODP, "application/pdf", "application/epub+zip"}
_ZIPPED = _NEVER_TEXT - {"application/pdf"}

SYNONYMS = {
    "application/x-pdf": "application/pdf",
    "text/rtf": "application/rtf",
    "text/xml": "application/xml",
    "application/xhtml+xml": "text/html",
    "application/atom+xml": "application/rss+xml",
    "application/jsonl": "application/x-ndjson",
    "application/x-jsonlines": "application/x-ndjson",
    "text/x-markdown": "text/markdown",
    "application/csv": "text/csv",
}

_MAGIC = (
    (b"{\\rtf", "application/rtf"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"PAR1", "application/vnd.apache.parquet"),
)
UNREAD_ARCHIVES = {"application/zstd", "application/x-7z-compressed", "application/vnd.rar"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_NAMES = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("__properties_version1.0", "application/vnd.ms-outlook"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
)
_OLE_TYPES = {mime for _, mime in _OLE_NAMES}
_ZIP_PARTS = (
    ("word/", DOCX),
    ("ppt/", PPTX),
    ("xl/workbook.bin", XLSB),
    ("xl/", XLSX),
)
# Zip containers of documents that are not read; unpacked, they would be XML and pictures.
_UNREAD_CONTAINERS = (
    ("visio/", "application/vnd.ms-visio.drawing"),
    ("FixedDocSeq.fdseq", "application/vnd.ms-xpsdocument"),
    ("FixedDocumentSequence.fdseq", "application/vnd.ms-xpsdocument"),
    ("Index/Document.iwa", "application/vnd.apple.iwork"),
    ("Index.zip", "application/vnd.apple.iwork"),
    ("index.apxl", "application/vnd.apple.iwork"),
    ("META-INF/MANIFEST.MF", "application/java-archive"),
    ("AndroidManifest.xml", "application/vnd.android.package-archive"),
)
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S
)
_FEED = re.compile(r"<(?:rss|feed|rdf:RDF)[\s>]")
_MAIL = re.compile(r"(?:[A-Za-z][A-Za-z-]*:[ \t].*\r?\n(?:[ \t].*\r?\n)*)+")


def mime_of_name(name: str) -> str | None:
    """Return the type that belongs to the extension of `name`, None for an unknown one."""
    return _EXTENSIONS.get(PurePath(name).suffix[1:].lower())


def detect(name: str, data: bytes, hint: str | None = None) -> str:
    """Return the MIME type of a file.

    `hint` is the type according to the source, used if neither content nor name determine one. The
    result is `application/octet-stream` for unknown content, and for content that contradicts the
    name.
    """
    named = mime_of_name(name) or SYNONYMS.get(hint or "", hint)
    binary = _binary_type(data, named)
    if binary:
        return binary
    if named in _NEVER_TEXT or looks_binary(data):
        return BINARY
    return _text_type(data, named)


def _binary_type(data: bytes, named: str | None) -> str | None:
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the latter is an empty archive
        return _zip_type(data, named)
    if data.startswith(_OLE):
        return _ole_type(data, named)
    for magic, mime in _MAGIC:
        if data.startswith(magic):
            return mime
    return _container_type(data)


def _container_type(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] in {b"WEBP", b"WAVE", b"AVI "}:
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "video/x-msvideo")
    if data[4:8] == b"ftyp":
        return "image/heic" if data[8:12] in {b"heic", b"mif1", b"avif"} else "video/mp4"
    if data[257:262] == b"ustar":
        return "application/x-tar"
    return None


def _zip_type(data: bytes, named: str | None) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names:
                with archive.open("mimetype") as part:
                    stated = part.read(100).decode("ascii", "replace").strip()
                    return stated.removesuffix("-template")
    except (*DAMAGE_ERRORS, RuntimeError):  # RuntimeError: a password is required
        return named if named in _ZIPPED else "application/zip"
    is_package = "[Content_Types].xml" in names
    known = (*(_ZIP_PARTS if is_package else ()), *_UNREAD_CONTAINERS)
    unknown = "application/x-opc-package" if is_package else "application/zip"
    found = (mime for prefix, mime in known if any(part.startswith(prefix) for part in names))
    return next(found, unknown)


def _ole_type(data: bytes, named: str | None) -> str:
    """Detect by the outermost names, as a mail may contain a document and vice versa."""
    unknown = "application/x-ole-storage"
    try:
        with CompoundFile(data) as file:
            names = {name.lower() for name in file.names()}
        found = (mime for name, mime in _OLE_NAMES if name.lower() in names)
    except Refusal:  # damaged: search for the names anywhere, or trust the file's own name
        found = (mime for name, mime in _OLE_NAMES if name.encode("utf-16-le") in data)
        unknown = named if named and named in _OLE_TYPES else unknown
    return next(found, unknown)


def _text_type(data: bytes, named: str | None) -> str:
    head = data[:4096].decode("utf-8-sig", errors="replace")
    if _HTML.match(head) and named in {
        None,
        "text/plain",
        "application/msword",
        "application/vnd.ms-excel",
    }:
        return "text/html"
    if named == "application/vnd.ms-excel":  # many programs export CSV with this name
        return "text/csv"
    if named in {None, "application/xml"} and head.lstrip().startswith("<"):
        return "application/rss+xml" if _FEED.search(head) else "application/xml"
    if named is None and _is_mail(head):
        return "message/rfc822"
    if named in {None, MBOX} and _is_mailbox(head):
        return MBOX
    known = named is not None and (named.startswith(("text/", "message/")) or named in _TEXTUAL)
    return named if known and named else "text/plain"


_TEXTUAL = {mime for mime in _EXTENSIONS.values() if mime.endswith(("xml", "json"))}


def _is_mailbox(head: str) -> bool:
    envelope, _, message = head.partition("\n")
    return envelope.startswith("From ") and _MAIL.match(message) is not None


def _is_mail(head: str) -> bool:
    headers = _MAIL.match(head)
    names = {line.split(":")[0].lower() for line in headers[0].splitlines()} if headers else set()
    return {"from", "date"} <= names and bool({"mime-version", "message-id", "received"} & names)
