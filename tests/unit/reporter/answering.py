"""A server on loopback with scripted answers, like those of proxies and failing servers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "Answering", "answering"]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes | None = None  # by default, the acknowledgement of the status server
    headers: dict[str, str] = field(default_factory=dict)


class Answering(ThreadingHTTPServer):
    """Answers durable events with each answer in turn, and then always with the last."""

    daemon_threads = True

    def __init__(self, answers: list[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[float, list[dict[str, Any]]]] = []

    def sizes(self) -> list[int]:
        return [len(events) for _, events in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answering

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["events"]
        answer = Answer()
        if events[0]["type"] not in {"heartbeat", "file:progress"}:
            self.server.requests.append((time.monotonic(), events))
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        committed = json.dumps({"ok": True, "accepted": len(events), "duplicates": 0})
        body = answer.body if answer.body is not None else committed.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(*answers: Answer) -> Iterator[Answering]:
    with Answering(list(answers)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
