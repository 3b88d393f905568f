#!/bin/sh
# In a container: clone the repository or bring it up to date, then become a command in that clone.
set -eu
image=$(dirname "$0")
if [ ! -d clone ]; then # it appears whole or not at all
    rm -rf draft
    git clone --quiet "$REPOSITORY" draft
    mv draft clone
fi
cd clone
export SLIMDERM_CLONE="$PWD"
git remote set-url origin "$REPOSITORY"
git pull --quiet --ff-only || # what was changed here, such as params.yaml, and dvc.lock stay
    echo "clone: $PWD was not brought up to date (git says why, above) and stays at" \
        "$(git log -1 --format='%h, %s'); where a change made there is in the way, undo or push it" \
        "and restart this container" >&2
cmp -s requirements.lock "$image/requirements.lock" ||
    echo "clone: the clone's requirements.lock is not the image's; build the image anew from that" \
        "commit: docker compose -f infra/compose.yaml up -d --build" >&2
exec "$@"
