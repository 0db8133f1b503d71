"""Index the text files of a folder for full-text search in SQLite, and report each to raglive.

export REPORTER_TOKEN=$(raglive token --role producer --pipelines 'text-*')
python script.py FOLDER
"""

# ruff: noqa: D103, INP001 - a script, called as its libraries call it

import os
import sqlite3
import sys
from pathlib import Path

from raglive_reporter import Reporter


def main(folder: Path) -> None:
    index = sqlite3.connect("text-index.sqlite3")
    index.execute("CREATE VIRTUAL TABLE IF NOT EXISTS chunks USING fts5(file, content)")
    with Reporter(
        "text-folder",
        pipeline_type="text_files",
        url=os.environ.get("RAGLIVE_STATUS_URL", "http://127.0.0.1:8103"),
        token=os.environ["REPORTER_TOKEN"],
        watch_location=str(folder),
    ) as reporter:
        for path in sorted(folder.rglob("*.*")):
            if path.is_file():
                place = path.relative_to(folder)
                report_one(reporter, index, path, place)


def report_one(reporter: Reporter, index: sqlite3.Connection, path: Path, place: Path) -> None:
    folder = "" if place.parent == Path() else place.parent.as_posix()
    size = path.stat().st_size
    with reporter.file(place.name, folder=folder, size=size, on_error="continue") as file, index:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            file.skip("unsupported", "The file is not text in UTF-8.")
            return
        file.enter("chunking")
        chunks = [chunk for chunk in text.split("\n\n") if chunk.strip()]
        index.execute("DELETE FROM chunks WHERE file = ?", (str(place),))
        for number, chunk in enumerate(chunks):
            index.execute("INSERT INTO chunks VALUES (?, ?)", (str(place), chunk))
            file.progress(number / len(chunks), stage="storing")
        index.commit()  # first the index, then the report
        file.complete(chunks_created=len(chunks), content_length=len(text))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
