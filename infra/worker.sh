#!/bin/sh
# In the clone of a worker's container: set the remote, then work for the pool that is named.
set -eu
pool=$1
shift
python -m slimderm remote "$DATA_REMOTE" "$ARTIFACTS"
if [ "$pool" = cpu ]; then
    python -m slimderm deploy
else
    prefect work-pool create "$pool" --type process --overwrite
fi
prefect worker start --type process --pool "$pool" --name "$pool-$(hostname)" \
    --with-healthcheck "$@" &
worker=$!
# Told to stop, Prefect's worker takes no new job, lets the one that it has end, and then stays. So it
# is ended here, once it has had no job for 20 seconds: one that it has just taken starts within them.
stop() {
    trap '' TERM
    kill -TERM "$worker"
    quiet=0
    while [ "$quiet" -lt 20 ]; do
        quiet=$((quiet + 1))
        if cat "/proc/$worker/task/"*/children 2> /dev/null | grep -q .; then quiet=0; fi
        sleep 1
    done
    kill -KILL "$worker" 2> /dev/null || true
    exit 0
}
trap stop TERM
wait "$worker"
