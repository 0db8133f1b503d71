"""LlamaIndex's `IngestionPipeline`, into pgvector: `python -m bench.peers.llama_index_load`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.postgres import PGVectorStore

from bench.peers.common import Text, embed, measure

WORDS_PER_CHUNK, OVERLAP = 170, 17  # about raglive's 1,000 characters, and 100


class Embedding(BaseEmbedding):  # type: ignore[misc]  # its package is not in this environment
    """raglive's built-in model, as LlamaIndex calls it."""

    def _get_query_embedding(self, query: str) -> list[float]:
        return embed([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return embed([query])[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return embed([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return embed(texts)


def main() -> None:
    folder, dsn, workers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    store: Any = PGVectorStore.from_params(
        connection_string=dsn.replace("postgresql://", "postgresql+psycopg2://"),
        async_connection_string=dsn.replace("postgresql://", "postgresql+asyncpg://"),
        embed_dim=256,
        use_jsonb=True,
    )
    store.add([])  # creates the tables before the measurement
    splitter = SentenceSplitter(
        chunk_size=WORDS_PER_CHUNK, chunk_overlap=OVERLAP, tokenizer=str.split
    )
    pipeline = IngestionPipeline(
        transformations=[splitter, Embedding(embed_batch_size=256)],
        vector_store=store,
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS,
        disable_cache=True,
    )

    def load(texts: Sequence[Text]) -> int:
        documents = [Document(text=text, id_=name) for name, text in texts]
        parallel = {"num_workers": workers} if workers > 1 else {}
        return len(pipeline.run(documents=documents, **parallel))

    measure(load, max(2, workers), folder)


if __name__ == "__main__":
    main()
