#!/bin/sh
# Make .venv, with the pinned uv in it that installs the rest.
set -eu

fail() {
    echo "raglive: $1" >&2
    exit 1
}

suitable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! suitable .venv/bin/python; then
    found=""
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if suitable "$candidate"; then found="$candidate"; break; fi
    done
    [ -n "$found" ] || fail "Python 3.11 or newer is needed, and ${PYTHON:-python3} is \
$("${PYTHON:-python3}" --version 2>&1 || true). Install it, or name one: make setup PYTHON=/path/to/python3.11"
    "$found" -c 'import ensurepip, venv' 2>/dev/null || fail "$found cannot make virtual \
environments. On Debian and Ubuntu: apt install $("$found" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    "$found" -m venv --clear .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r tools/requirements-uv.lock
