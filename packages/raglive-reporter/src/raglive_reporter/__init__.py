"""A client that reports the status of other people's pipelines to raglive.

```python
with Reporter("my-pipeline", pipeline_type="s3", token=token) as reporter:
    for path in paths:
        with reporter.file(path.name, size=path.stat().st_size, on_error="continue") as file:
            file.progress(0.4, stage="embedding")
            file.complete(chunks_created=12)
```
"""

from raglive_reporter.async_reporter import AsyncContinuingFile, AsyncFile, AsyncReporter
from raglive_reporter.dead_letters import DeadLetter
from raglive_reporter.delivery import DeliveryIntervals
from raglive_reporter.errors import OutboxFull, OutboxUnusable, ReporterError
from raglive_reporter.http import HttpTransport
from raglive_reporter.reporter import ContinuingFile, File, Reporter
from raglive_reporter.transport import Batch, Transport

__all__ = [
    "AsyncContinuingFile",
    "AsyncFile",
    "AsyncReporter",
    "Batch",
    "ContinuingFile",
    "DeadLetter",
    "DeliveryIntervals",
    "File",
    "HttpTransport",
    "OutboxFull",
    "OutboxUnusable",
    "Reporter",
    "ReporterError",
    "Transport",
]
