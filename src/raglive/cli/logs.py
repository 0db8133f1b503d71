"""How processes log: JSON for machines, colours for people; never to standard output."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from raglive.settings import Settings

__all__ = ["configure_logs"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(settings: Settings, output: TextIO = sys.stderr) -> None:
    """Send every log line to `output`: as text to a terminal, otherwise as JSON by default."""
    level = _LEVELS[settings.log_level]
    as_text = settings.log_format == "console" or (
        settings.log_format == "auto" and output.isatty()
    )
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_text:
        rendering: list[structlog.types.Processor] = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    else:
        # Local variables may hold secrets: a traceback shows places, never values.
        places = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        rendering = [
            structlog.processors.ExceptionRenderer(places),
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    plain = "%(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.WARNING, stream=output, format=plain, force=True)
    # The caller reports a failed connection; the pool would add a traceback.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
