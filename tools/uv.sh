#!/bin/sh
# Run uv on .venv; it asks the package index that pip is configured with, and downloads no Python.
set -eu
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    index="${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}"
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
fi
unset CONDA_PREFIX
export UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV="$PWD/.venv"
exec .venv/bin/uv "$@"
