#!/bin/sh
# The image's entry point: each file of /run/secrets becomes a variable of its name, then a command
# runs. So no password stands in the compose file, nor in what `docker inspect` shows.
set -eu
for file in "${SECRETS:-/run/secrets}"/*; do
    [ -f "$file" ] || continue
    value=$(cat "$file")
    export "$(basename "$file")=$value"
done
exec "$@"
