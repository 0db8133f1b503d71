"""Report a LlamaIndex ingestion pipeline, one document after the other, with live progress.

pip install llama-index-core
export REPORTER_TOKEN=$(raglive token --role producer --pipelines 'llamaindex-*')
python llamaindex_ingestion.py FILE...
"""

# ruff: noqa: ARG002, D103, INP001 - a script, called as its libraries call it

import os
import sys
from pathlib import Path
from typing import Any

from llama_index.core import Document, MockEmbedding
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.vector_stores import SimpleVectorStore

from raglive_reporter import ContinuingFile, Reporter


class ReportingHandler(BaseCallbackHandler):
    """Reports the progress of the transformations for `file`; add it to their callback manager."""

    def __init__(self) -> None:
        super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
        self.file: ContinuingFile | None = None
        self._chunks = 0
        self._embedded = 0

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        *rest: Any,
        **more: Any,
    ) -> str:
        """Enter the stage that begins."""
        if self.file is not None and event_type is CBEventType.NODE_PARSING:
            self._chunks = self._embedded = 0
            self.file.enter("chunking")
        return ""

    def on_event_end(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        *rest: Any,
        **more: Any,
    ) -> None:
        """Show how many of the chunks are embedded."""
        if self.file is None or payload is None:
            return
        if event_type is CBEventType.NODE_PARSING:
            self._chunks = len(payload[EventPayload.NODES])
        elif event_type is CBEventType.EMBEDDING:
            self._embedded += len(payload[EventPayload.EMBEDDINGS])
            self.file.progress(min(1.0, self._embedded / max(1, self._chunks)), "embedding")

    def start_trace(self, trace_id: str | None = None) -> None:
        """Do nothing: `main` starts the file."""

    def end_trace(
        self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None
    ) -> None:
        """Do nothing: `main` ends the file."""


def ingestion(handler: ReportingHandler) -> IngestionPipeline:
    """Return the pipeline; replace transformations and store with your own."""
    manager = CallbackManager([handler])
    return IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=256, callback_manager=manager),
            # an embedding that needs no account; use the one of your pipeline
            MockEmbedding(embed_dim=256, embed_batch_size=10, callback_manager=manager),
        ],
        vector_store=SimpleVectorStore(),
    )


def main(paths: list[Path]) -> None:
    handler = ReportingHandler()
    pipeline = ingestion(handler)
    with Reporter(
        "llamaindex-files",
        pipeline_type="llamaindex",
        url=os.environ.get("RAGLIVE_STATUS_URL", "http://127.0.0.1:8103"),
        token=os.environ["REPORTER_TOKEN"],
    ) as reporter:
        for path in paths:
            with reporter.file(path.name, on_error="continue") as handler.file:
                text = path.read_text("utf-8")
                nodes = pipeline.run(documents=[Document(text=text, doc_id=str(path))])
                handler.file.complete(chunks_created=len(nodes), content_length=len(text))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
