#!/bin/bash
# What needs a GPU, in under nine minutes: bash tests/gpu/run.sh OUT [--tiny] [--modules a,b]
#
# Writes OUT/gpu.json, figures and pass or fail of each check, and OUT/gpu.log. The exit status is 0
# where all passed. With --tiny everything runs small, on the CPU. The machine needs no network: what
# it lacks of Python packages is taken from tests/gpu/wheels/, which tests/gpu/wheels.sh fills where
# there is one. sbtools itself is used from this checkout. PYTHON names another python3.
set -eu
cd "$(dirname "$0")/../.."
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' tests/gpu/run.sh >&2; exit 2; }
python=${PYTHON:-python3} wheels=tests/gpu/wheels site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT

lacking=$("$python" - << 'END'
from importlib.util import find_spec
for module, package in (("av", "av"), ("open_clip", "open_clip_torch"), ("ftfy", "ftfy"),
                        ("wcwidth", "wcwidth"), ("segment_anything", "segment_anything"),
                        ("click", "click"), ("rich", "rich"), ("jinja2", "jinja2"),
                        ("timm", "timm"), ("regex", "regex"), ("safetensors", "safetensors")):
    if find_spec(module) is None:
        print(package)
END
)
for package in $lacking; do
    "$python" -m pip install -q --upgrade --no-index --no-deps --no-compile --no-cache-dir \
        --find-links "$wheels" --target "$site" "$package" ||
        echo "no wheel of $package in $wheels: bash tests/gpu/wheels.sh where there is a network" >&2
done
export PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
"$python" -m tests.gpu.run "$@"
