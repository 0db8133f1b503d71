"""LangChain's indexing API, into pgvector: `python -m bench.peers.langchain_load`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager, index
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGVector
from langchain_text_splitters import RecursiveCharacterTextSplitter

from bench.peers.common import Text, embed, measure

CHUNKS_PER_BATCH = 1_000


class Embedding(Embeddings):  # type: ignore[misc]  # its package is not in this environment
    """raglive's built-in model, as LangChain calls it."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        return embed([text])[0]


def main() -> None:
    folder, dsn, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    address = dsn.replace("postgresql://", "postgresql+psycopg://")
    store = PGVector(Embedding(), connection=address, collection_name="bench")
    records = SQLRecordManager("bench", db_url=address)
    records.create_schema()
    splitter = RecursiveCharacterTextSplitter(chunk_size=1_000, chunk_overlap=100)

    def load(texts: Sequence[Text]) -> int:
        documents = [Document(page_content=text, metadata={"source": name}) for name, text in texts]
        made = index(
            splitter.split_documents(documents),
            records,
            store,
            batch_size=CHUNKS_PER_BATCH,
            cleanup="incremental",
            source_id_key="source",
            key_encoder="sha256",
        )
        return int(made["num_added"])

    measure(load, workers, folder)


if __name__ == "__main__":
    main()
