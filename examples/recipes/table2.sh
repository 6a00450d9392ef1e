#!/usr/bin/env bash
# Table 2: ViFi-CLIP and ActionCLIP, trained on the 50 classes of Kinetics-400 that Mimetics has,
# judged on Mimetics.
#
#   bash examples/recipes/table2.sh K400 MIMETICS [OUT]
#
# K400 holds train.csv, MIMETICS mimetics_v1.0.csv, each with its videos in whatever folders below
# it. OUT is made, ./table2 by default. What the environment sets is told in common.sh.

. "$(dirname "$0")/common.sh"
data=${1:?usage: table2.sh K400 MIMETICS [OUT]}
other=${2:?usage: table2.sh K400 MIMETICS [OUT]}
begin "${3:-table2}"
list=$other/mimetics_v1.0.csv

index train kinetics400 "$data" --annotations "$data/train.csv" --split train
index mimetics mimetics "$other" --annotations "$list"
choose k50 train --classes "$list" --write-classes "$out/k50.txt"
masks k50 segments:8x4
masks mimetics 8
declare -A epochs=([vificlip]=12 [actionclip]=15)
for model in $models; do
    for ratio in ${RATIOS:-1:0 0.5:0.5 0.33:0.67 0:1}; do
        run=$model-$(name "$ratio")
        train "$run" k50 mimetics --model "$model" --method mask --set "ratio=$ratio" \
            --classes "$out/k50.txt" --epochs "${epochs[$model]}"
        judge "$run" mimetics "mimetics-$run" --p-view bg
    done
done
table
