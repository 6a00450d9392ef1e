#!/usr/bin/env bash
# Table 1, ActionCLIP: base to novel on Kinetics-400, with the background masked in some of the clips.
#
#   bash examples/recipes/table1-actionclip.sh K400 [OUT]
#
# K400 holds train.csv and val.csv, and the videos in whatever folders below it. OUT is made,
# ./table1-actionclip by default. What the environment sets is told in common.sh.

. "$(dirname "$0")/common.sh"
data=${1:?usage: table1-actionclip.sh K400 [OUT]}
begin "${2:-table1-actionclip}"

index train kinetics400 "$data" --annotations "$data/train.csv" --split train
index val kinetics400 "$data" --annotations "$data/val.csv" --split val
few_shot
for ratio in ${RATIOS:-1:0 0.5:0.5 0.33:0.67 0:1}; do
    base_to_novel "$ratio" bg --model actionclip
done
table
