#!/bin/sh
# A worker's container: clone once, set the remote, then work for the pool that is named.
set -eu
pool=$1
shift
if [ ! -d .git ]; then
    git clone --quiet "$REPOSITORY" .
fi
export SLIMDERM_CLONE="$PWD"
python -m flows.store "$DATA_REMOTE"
prefect work-pool create "$pool" --type process --overwrite
if [ "$pool" = cpu ]; then
    env -u SLIMDERM_CLONE prefect work-pool create gpu --type process --overwrite
    env -u SLIMDERM_CLONE prefect --no-prompt deploy --all
fi
exec prefect worker start --type process --pool "$pool" --name "$pool-$(hostname)" "$@"
