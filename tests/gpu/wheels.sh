#!/bin/bash
# Fills tests/gpu/wheels/ (git-ignored) with the packages that the machine with the GPU lacks, for its
# Python 3.12: bash tests/gpu/wheels.sh. Run it where pip has a registry; then run.sh needs none.
# They travel with the checkout, which may be 64 MiB; above 60 the video library is left out, and
# clips come from a cache.
set -eu
cd "$(dirname "$0")/../.."
wheels=tests/gpu/wheels limit=60
mkdir -p "$wheels"
rm -f "$wheels"/*.whl
for package in av open_clip_torch ftfy wcwidth segment_anything; do
    version=$(sed -n "s/^${package//_/[-_]}==//Ip" constraints.txt)
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 \
        --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -d "$wheels" "$package${version:+==$version}"
done
if [ "$(du -sm --apparent-size "$wheels" | cut -f1)" -gt $limit ]; then
    echo "more than $limit MB: av stays here, so clips come from a cache there" >&2
    rm "$wheels"/av-*.whl
fi
ls -s --block-size=K "$wheels"
