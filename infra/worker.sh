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
exec prefect worker start --type process --pool "$pool" --name "$pool-$(hostname)" \
    --with-healthcheck "$@"
