#!/usr/bin/env bash
# UCF101 of ALBAR's slides: methods by benchmarks, Video Swin-T from Kinetics-400.
#
#   WEIGHTS=swin3d_t.pth IMAGE_WEIGHTS=swin_t.pth bash examples/recipes/ucf101.sh UCF101 BIAS [OUT]
#
# UCF101 holds ucfTrainTestlist with classInd.txt, trainlist01.txt and testlist01.txt, and the videos
# in whatever folders; what BIAS holds, and what the environment sets, is told in sets.sh. The slides'
# sets are of an updated protocol, which is not StillMix's release. OUT is made, ./ucf101 by default.

. "$(dirname "$0")/sets.sh"
data=${1:?usage: ucf101.sh UCF101 BIAS [OUT]}
bias=${2:?usage: ucf101.sh UCF101 BIAS [OUT]}
start "${3:-ucf101}"
lists=$data/ucfTrainTestlist
numbered=()

names() {
    sed 's/\r$//; s/^[0-9]* *//' "$lists/classInd.txt"
}

made "$classes" names
for split in train test; do
    index "$split" ucf101 "$data" "${limit[@]}" --annotations "$lists/${split}list01.txt"
done
sets "$bias" UCF101
case $methods in *stillmix*) bank --quantiles .5-1 ;; esac
# StillMix's baseline of UCF101 is that of HMDB51 with another weight decay.
learn plain "$WEIGHTS" --preset plain-hmdb51-swin3d_t --weight-decay .01
learn stillmix "$WEIGHTS" --preset stillmix-ucf101-swin3d_t --set "bank=$out/bank"
learn albar "$WEIGHTS" --preset albar-ucf101-swin3d_t
judge_all albar stillmix-ucf101
table
