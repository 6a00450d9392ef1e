#!/usr/bin/env bash
# Table 4: ViFi-CLIP and ActionCLIP, base to novel on Something-Something v2, with objects and
# background masked.
#
#   bash examples/recipes/table4.sh SSV2 [OUT]
#
# SSV2 holds labels.json, train.json and validation.json (or the names of the first release,
# something-something-v2-train.json and so on), and the videos in whatever folders below it. OUT is
# made, ./table4 by default. What the environment sets is told in common.sh.

. "$(dirname "$0")/common.sh"
data=${1:?usage: table4.sh SSV2 [OUT]}
begin "${2:-table4}"
list=$data/
[ -e "$data/train.json" ] || list=$data/something-something-v2-

# The placeholders of each clip become the prompts of its objects.
index all-train ssv2 "$data" --annotations "${list}train.json" --labels "${list}labels.json"
index all-val ssv2 "$data" --annotations "${list}validation.json" --labels "${list}labels.json"
choose train all-train --min-frames 16
choose val all-val
few_shot
# The shares of no masking, of the object's box, of its shape, and of background and object.
for model in $models; do
    for ratio in ${RATIOS:-1:0:0:0 0.5:0.5:0:0 0.5:0:0.5:0 0.5:0:0:0.5 0.33:0:0.33:0.33}; do
        base_to_novel "$model" "$ratio" bg+obj
    done
done
table
