#!/bin/sh
# Install the programs that tests run: Chromium, the proxies of deploy/proxy, PgBouncer, Prometheus, and Redis; with the
# argument `docker`, also a Docker engine.
set -eu
PATH="$PATH:/usr/sbin"

has_any() {
    for program; do
        if command -v "$program" >/dev/null; then return 0; fi
    done
    return 1
}

missing=
has_any chromium chromium-browser google-chrome google-chrome-stable || missing=" chromium"
for program in caddy haproxy nginx openssl pgbouncer prometheus redis-server; do
    has_any "$program" || missing="$missing $program"
done
if [ "${1:-}" = docker ]; then
    has_any dockerd || missing="$missing docker.io"
    has_any docker-compose || missing="$missing docker-compose"
    has_any mmdebstrap || missing="$missing mmdebstrap"
fi
if [ -z "$missing" ]; then exit 0; fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing what tests run:$missing." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # The tests start these programs themselves, so the packages must not start them as services.
    export RUNLEVEL=1
    # shellcheck disable=SC2086 # one package for each word
    apt-get install -qq --no-install-recommends $missing >/dev/null
    exit 0
fi
echo "raglive: the tests need$missing, on the PATH. On Debian: apt install$missing" >&2
[ "${CI:-}" != true ]
