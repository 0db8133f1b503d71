#!/bin/sh
# See that a Chromium is there for the browser's tests.
set -eu
for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$browser" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser's tests." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "raglive: the browser's tests need Chromium, on the PATH. On Debian: apt install chromium" >&2
[ "${CI:-}" != true ]
