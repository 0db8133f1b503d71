"""Report a LangChain ingestion: each file is one run of a chain, each stage one tagged step of it.

pip install langchain-core langchain-text-splitters
export REPORTER_TOKEN=$(raglive token --role producer --pipelines 'langchain-*')
python langchain_ingestion.py FILE...
"""

# ruff: noqa: ARG002, D103, INP001 - a script, called as its libraries call it

import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from raglive_reporter import File, Reporter

STAGE = "raglive:"  # a step tagged `raglive:chunking` is that stage


class ReportingHandler(BaseCallbackHandler):
    """Reports every run whose metadata has the key `file`; pass it to a run as a callback."""

    run_inline = True  # so that events keep the order of the steps

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._files: dict[UUID, File] = {}

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Start the file with the outermost run; enter a stage with a tagged step."""
        if parent_run_id is None:
            if metadata and "file" in metadata:
                file = self._reporter.file(metadata["file"], size=metadata.get("size"))
                file.start()
                self._files[run_id] = file
            return
        file = self._files.get(parent_run_id)
        stage = next((tag for tag in tags or () if tag.startswith(STAGE)), None)
        if file is not None and stage is not None:
            file.enter(stage.removeprefix(STAGE))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """Complete the file: the chain returns the ids of the chunks that it stored."""
        file = self._files.pop(run_id, None)
        if file is not None:
            file.complete(chunks_created=len(outputs))

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Fail the file."""
        file = self._files.pop(run_id, None)
        if file is not None:
            file.leave(error)


def ingestion(store: InMemoryVectorStore) -> Runnable[Path, list[str]]:
    """Return the chain; replace loader, splitter and store with your own."""
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=100)

    def load(path: Path) -> list[Document]:
        return [Document(path.read_text("utf-8"), metadata={"source": str(path)})]

    def tagged(step: Any, stage: str) -> Runnable[Any, Any]:
        return RunnableLambda(step).with_config(tags=[STAGE + stage])

    return (
        tagged(load, "extraction")
        | tagged(splitter.split_documents, "chunking")
        | tagged(store.add_documents, "embedding")
    )


def main(paths: list[Path]) -> None:
    # an embedding that needs no account; use the one of your pipeline
    chain = ingestion(InMemoryVectorStore(DeterministicFakeEmbedding(size=256)))
    with Reporter(
        "langchain-files",
        pipeline_type="langchain",
        url=os.environ.get("RAGLIVE_STATUS_URL", "http://127.0.0.1:8103"),
        token=os.environ["REPORTER_TOKEN"],
    ) as reporter:
        handler = ReportingHandler(reporter)
        for path in paths:
            about = {"file": path.name, "size": path.stat().st_size if path.exists() else None}
            try:
                chain.invoke(path, config={"callbacks": [handler], "metadata": about})
            except (OSError, UnicodeDecodeError) as error:
                sys.stderr.write(f"{path}: {error}\n")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
