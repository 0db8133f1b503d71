"""The main function of a child process: validates large batches for the status server."""

from __future__ import annotations

import sys
from itertools import accumulate, pairwise

import orjson

from raglive.bus.pipe_protocol import Frame, pack, read_frame
from raglive.status_server.batches import PipelineEvents, read_batch
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["unpack_answer"]


def main() -> None:
    """Answer each batch with its pipelines or its first fault, until the parent closes the pipe."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (frame := read_frame(requests)) is not None:
        answers.write(_answer(frame[1]))
        answers.flush()


def _answer(body: bytes) -> bytes:
    try:
        pipelines = read_batch(body)
    except RagliveError as error:
        return pack({"error": {"code": error.code, "message": error.message}})
    durable = [orjson.dumps(one.durable) for one in pipelines]
    described = [
        {
            "pipeline_id": one.pipeline_id,
            "pipeline_type": one.pipeline_type,
            "count": one.count,
            "first_ids": one.first_ids,
            "conflated": one.conflated,
        }
        for one in pipelines
    ]
    return pack({"pipelines": described, "sizes": list(map(len, durable))}, b"".join(durable))


def unpack_answer(frame: Frame) -> list[PipelineEvents]:
    """Read an answer in the parent; the durable events stay JSON text. Raises the first fault."""
    header, body = frame
    if fault := header.get("error"):
        raise RagliveError(fault["message"], code=ErrorCode(fault["code"]))
    bounds = pairwise(accumulate(header["sizes"], initial=0))
    return [
        PipelineEvents(**one, durable=orjson.Fragment(body[start:end]))
        for one, (start, end) in zip(header["pipelines"], bounds, strict=True)
    ]


if __name__ == "__main__":
    main()
