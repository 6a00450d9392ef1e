#!/usr/bin/env bash
# HMDB51 of ALBAR's slides: methods by benchmarks, Video Swin-T from Kinetics-400.
#
#   WEIGHTS=swin3d_t.pth IMAGE_WEIGHTS=swin_t.pth bash examples/recipes/hmdb51.sh HMDB51 BIAS [OUT]
#
# HMDB51 holds testTrainMulti_7030_splits with the files CLASS_test_split1.txt, and the videos in
# whatever folders; what BIAS holds, and what the environment sets, is told in sets.sh. OUT is made,
# ./hmdb51 by default.

. "$(dirname "$0")/sets.sh"
data=${1:?usage: hmdb51.sh HMDB51 BIAS [OUT]}
bias=${2:?usage: hmdb51.sh HMDB51 BIAS [OUT]}
start "${3:-hmdb51}"
splits=$data/testTrainMulti_7030_splits
numbered=()

names() {
    ls "$splits" | sed -n 's/_test_split1\.txt$//p' | tr _ ' ' | LC_ALL=C sort
}

made "$classes" names
for split in train test; do
    index "$split" hmdb51 "$data" "${limit[@]}" --annotations "$splits" --split "$split"
done
sets "$bias" HMDB51
case $methods in *stillmix*) bank --quantiles .1-1 ;; esac
learn plain "$WEIGHTS" --preset plain-hmdb51-swin3d_t
learn stillmix "$WEIGHTS" --preset stillmix-hmdb51-swin3d_t --set "bank=$out/bank"
learn albar "$WEIGHTS" --preset albar-hmdb51-swin3d_t
judge_all albar stillmix-hmdb51
table
