"""Asks the raglive process of this container whether it is `live` or `ready`.

The exit status is 0 if the process that listens on one of the ports says so. A container runs one
process, so the other ports refuse the connection.
"""

import os
import sys
import urllib.error
import urllib.request

PORTS = {
    "SOCKET_IO_PORT": "8103",
    "RAGLIVE_DASHBOARD_PORT": "3000",
    "RAGLIVE_LOCAL_FILES_PORT": "8005",
    "RAGLIVE_GOOGLE_DRIVE_PORT": "8004",
}


def main(probe: str) -> str | None:
    """Return None if a process answers that it is, otherwise the reason."""
    reason = "no process listens on its port"
    for name, default in PORTS.items():
        url = f"http://127.0.0.1:{os.environ.get(name) or default}/health/{probe}"
        try:
            with urllib.request.urlopen(url, timeout=4):
                return None
        except urllib.error.HTTPError as error:
            return f"{url} answered {error.code}: {error.read(500).decode(errors='replace')}"
        except OSError as error:
            if not isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                reason = f"{url}: {error}"
    return reason


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
