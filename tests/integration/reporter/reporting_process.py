"""A pipeline as a process; it prints each file when its end is in the outbox.

Arguments: the server's address, the token, the outbox, the first file, how many.
"""

from __future__ import annotations

import sys

from raglive_reporter import DeliveryIntervals, Reporter

INTERVALS = DeliveryIntervals(
    heartbeat=0.2, progress=0.01, poll=0.02, first_retry=0.01, max_retry=0.1
)


def main(url: str, token: str, outbox: str, first: int, count: int) -> None:
    with Reporter(
        "crawler-1",
        pipeline_type="web_crawler",
        url=url,
        token=token,
        outbox=outbox,
        intervals=INTERVALS,
        close_seconds=60,
    ) as reporter:
        for number in range(first, first + count):
            with reporter.file(str(number), id=str(number)) as file:
                file.progress(0.5)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
