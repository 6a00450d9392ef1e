#!/usr/bin/env bash
# Table 1: ViFi-CLIP and ActionCLIP, base to novel on Kinetics-400, with the background masked in
# some of the clips.
#
#   bash examples/recipes/table1.sh K400 [OUT]
#
# K400 holds train.csv and val.csv, and the videos in whatever folders below it. OUT is made,
# ./table1 by default. What the environment sets is told in common.sh.

. "$(dirname "$0")/common.sh"
data=${1:?usage: table1.sh K400 [OUT]}
begin "${2:-table1}"

index train kinetics400 "$data" --annotations "$data/train.csv" --split train
index val kinetics400 "$data" --annotations "$data/val.csv" --split val
few_shot
for model in $models; do
    for ratio in ${RATIOS:-1:0 0.5:0.5 0.33:0.67 0:1}; do
        base_to_novel "$model" "$ratio" bg
    done
done
table
