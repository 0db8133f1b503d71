"""How processes log: JSON for machines, colours for people; never to standard output."""

from __future__ import annotations

import io
import logging
import sys
from types import TracebackType
from typing import TextIO

import structlog

from raglive.cli.log_limits import LineLimit, cut, cut_values
from raglive.cli.terminal import visible, visible_json, visible_lines
from raglive.settings import Settings

__all__ = ["configure_logs"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(settings: Settings, output: TextIO = sys.stderr) -> None:
    """Send every log line to `output`: as text to a terminal, otherwise as JSON by default."""
    level = _LEVELS[settings.log_level]
    as_text = settings.log_format == "console" or (
        settings.log_format == "auto" and output.isatty() and not settings.is_production
    )
    limit = LineLimit()
    shared: list[structlog.types.Processor] = [
        limit,
        structlog.contextvars.merge_contextvars,
        cut_values,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_text:
        rendering: list[structlog.types.Processor] = [
            _visible_values,
            structlog.dev.ConsoleRenderer(exception_formatter=_visible_traceback),
        ]
    else:
        # Local variables may hold secrets: a traceback shows places, never values.
        places = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        rendering = [
            structlog.processors.ExceptionRenderer(places),
            structlog.processors.JSONRenderer(),
            lambda _logger, _method, line: visible_json(str(line)),
        ]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    plain = "%(levelname)s %(name)s %(message)s"
    handler = logging.StreamHandler(output)
    handler.setFormatter(_VisibleFormatter(plain))
    handler.addFilter(limit)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # The caller reports a failed connection; the pool would add a traceback.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


def _visible_values(
    _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    """Escape strings; the console renderer writes other values by their `repr`, which does so."""
    return {
        name: visible(value) if isinstance(value, str) else value for name, value in event.items()
    }


def _visible_traceback(output: TextIO, failure: structlog.typing.ExcInfo) -> None:
    text = io.StringIO()
    structlog.dev.plain_traceback(text, failure)
    output.write(visible_lines(text.getvalue()))


class _VisibleFormatter(logging.Formatter):
    """Formats the lines of libraries that do not log with structlog."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the base class
        return visible(cut(super().formatMessage(record)))

    def formatException(  # noqa: N802 - of the base class
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        return visible_lines(super().formatException(ei))
