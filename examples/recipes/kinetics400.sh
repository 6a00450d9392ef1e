#!/usr/bin/env bash
# Kinetics-400 of ALBAR's slides: methods by benchmarks. Without a method and with StillMix training
# begins with Swin-T of ImageNet, as StillMix's does; ALBAR's begins with Video Swin-T of Kinetics-400.
#
#   WEIGHTS=swin3d_t.pth IMAGE_WEIGHTS=swin_t.pth bash examples/recipes/kinetics400.sh K400 BIAS [OUT]
#
# K400 holds train.csv and val.csv, and the videos in whatever folders; what BIAS holds, and what the
# environment sets, is told in sets.sh. LABELS names the classes in the order of their numbers in
# StillMix's lists; default those of train.csv, sorted. OUT is made, ./kinetics400 by default.

. "$(dirname "$0")/sets.sh"
data=${1:?usage: kinetics400.sh K400 BIAS [OUT]}
bias=${2:?usage: kinetics400.sh K400 BIAS [OUT]}
: "${IMAGE_WEIGHTS:?names Swin-T of ImageNet, see examples/recipes/sets.sh}"
start "${3:-kinetics400}"

names() {
    if [ -n "${LABELS:-}" ]; then
        cat "$LABELS"
    else
        sed 1d "$data/train.csv" | sed 's/,.*//; s/"//g' | LC_ALL=C sort -u
    fi
}

# The class of every clip of val.csv by the name of its file, which no name in Kinetics tells.
named() {
    echo filename,label,class
    awk -F, 'NR > 1 { gsub(/"/, ""); printf "%s_%06d_%06d,,%s\n", $2, $3, $4, $1 }' "$data/val.csv"
}

made "$classes" names
made "$out/val-classes.csv" named
numbered=(--labels "$classes")
index train kinetics400 "$data" "${limit[@]}" --annotations "$data/train.csv" --split train
index test kinetics400 "$data" "${limit[@]}" --annotations "$data/val.csv" --split val
sets "$bias" K400 --annotations "$out/val-classes.csv"
case $methods in *stillmix*) bank --every 20 --quantiles .5-1 ;; esac
# StillMix's baseline of Kinetics-400 has the rates of its method there.
learn plain "$IMAGE_WEIGHTS" --preset plain-hmdb51-swin3d_t --lr 7.5e-4 --weight-decay .02
learn stillmix "$IMAGE_WEIGHTS" --preset stillmix-k400-swin3d_t-in --set "bank=$out/bank"
learn albar "$WEIGHTS" --preset albar-k400-swin3d_t
judge_all albar stillmix-k400
table
