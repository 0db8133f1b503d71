"""Report from Celery: one reporter for the worker and all of its children.

pip install celery
export REPORTER_TOKEN=$(raglive token --role producer --pipelines 'celery-*')
celery --app celery_worker worker
"""

# ruff: noqa: ARG001, INP001 - a script, called as its libraries call it

import os
from pathlib import Path

from celery import Celery, signals

from raglive_reporter import Reporter

app = Celery("celery_worker", broker=os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1"))
reporter = Reporter(
    "celery-files",
    pipeline_type="celery",
    url=os.environ.get("RAGLIVE_STATUS_URL", "http://127.0.0.1:8103"),
    token=os.environ["REPORTER_TOKEN"],
)


@signals.worker_init.connect
def begin(**_: object) -> None:
    """Report the pipeline online; forked children continue with the same reporter."""
    reporter.open()


@signals.worker_process_shutdown.connect
@signals.worker_shutdown.connect
def end(**_: object) -> None:
    """Send the events that wait; the last process reports the pipeline offline."""
    reporter.close()


@app.task(bind=True, autoretry_for=(OSError,), max_retries=3)
def index(task: object, path: str) -> int:
    """Count the paragraphs of a text file, as an indexer would store them."""
    with reporter.file(Path(path).name, id=path) as file:
        text = Path(path).read_text("utf-8")
        paragraphs = text.split("\n\n")
        file.complete(chunks_created=len(paragraphs), content_length=len(text))
        return len(paragraphs)
