#!/usr/bin/env bash
# Table 3: ViFi-CLIP and ActionCLIP, trained on the 350 classes of Kinetics-400 that Mimetics lacks,
# judged on the other 50, of Mimetics and of Kinetics-400.
#
#   bash examples/recipes/table3.sh K400 MIMETICS [OUT]
#
# K400 holds train.csv and val.csv, MIMETICS mimetics_v1.0.csv, each with its videos in whatever
# folders below it. OUT is made, ./table3 by default. What the environment sets is told in
# common.sh.

. "$(dirname "$0")/common.sh"
data=${1:?usage: table3.sh K400 MIMETICS [OUT]}
other=${2:?usage: table3.sh K400 MIMETICS [OUT]}
begin "${3:-table3}"
list=$other/mimetics_v1.0.csv

index train kinetics400 "$data" --annotations "$data/train.csv" --split train
index val kinetics400 "$data" --annotations "$data/val.csv" --split val
index mimetics mimetics "$other" --annotations "$list"
choose k350 train --exclude "$list" --write-classes "$out/k350.txt"
choose k50 val --classes "$list" --write-classes "$out/k50.txt"
masks k350 segments:8x4
masks k50 8
masks mimetics 8
declare -A epochs=([vificlip]=12 [actionclip]=15)
for model in $models; do
    for ratio in ${RATIOS:-1:0 0.5:0.5 0.33:0.67 0:1}; do
        run=$model-$(name "$ratio")
        train "$run" k350 - --model "$model" --method mask --set "ratio=$ratio" \
            --classes "$out/k350.txt" --lr 1e-5 --epochs "${epochs[$model]}"
        for part in mimetics k50; do
            judge "$run" "$part" "$part-$run" --classes "$out/k50.txt" --p-view bg
        done
    done
done
table
