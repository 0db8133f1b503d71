"""The client with which other pipelines publish their status.

```python
with Reporter("my-pipeline", pipeline_type="s3", token=token) as reporter:
    with reporter.file("a.pdf", size=1234) as file:
        file.progress(0.4, stage="embedding")
        file.complete(chunks_created=12)
```
"""

from raglive_reporter.asynchronous import AsyncFile, AsyncReporter
from raglive_reporter.dead_letters import DeadLetter
from raglive_reporter.errors import OutboxFull, OutboxUnusable, ReporterError
from raglive_reporter.http import HttpTransport
from raglive_reporter.plain import File, Reporter
from raglive_reporter.transport import Batch, Transport

__all__ = [
    "AsyncFile",
    "AsyncReporter",
    "Batch",
    "DeadLetter",
    "File",
    "HttpTransport",
    "OutboxFull",
    "OutboxUnusable",
    "Reporter",
    "ReporterError",
    "Transport",
]
