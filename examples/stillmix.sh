#!/usr/bin/env bash
# Frames that betray the action by themselves, mixed into clips: does a model then look at what moves?
#
#   bash examples/stillmix.sh [OUT]
#
# OUT is made, ./stillmix-demo by default. Takes some minutes on a CPU. Run it again, also after Ctrl-C:
# whatever is done is not done again, and a training goes on where it stood. CLIPS=0.1 EPOCHS=2 makes it
# a trial of the commands.

set -euo pipefail

out=${1:-stillmix-demo}
epochs=${EPOCHS:-30}
mkdir -p "$out"

# 1. Clips whose background is that of their class in 9 of 10 cases, and free ones to judge by.
sbtools demo --bias .9,0 --splits train,test-unbiased --scale "${CLIPS:-1}" "$out/demo" \
    > "$out/demo.jsonl"
for split in train test-unbiased; do
    grep "\"split\": \"$split\"" "$out/demo.jsonl" > "$out/$split.jsonl"
done

# 2. A network that sees one frame of each clip, and so can only learn what does not move.
train=(sbtools train --model linear --warmup 1 --epochs "$epochs" --cache "$out/cache")
"${train[@]}" --set-model backbone=frame_cnn --frames 1 -o "$out/frames" "$out/train.jsonl" \
    > "$out/frames.jsonl"

# 3. The frames that it is sure about: the upper half of all, of which 512 are kept.
sbtools bank --frames 512 --size 32 --scores "$out/scores" -o "$out/bank" \
    "$out/frames" "$out/train.jsonl" > "$out/scored.jsonl"

# 4. The same network of clips twice: as it is, and with those frames mixed into half of the clips.
"${train[@]}" --set-model backbone=conv3d -o "$out/plain" "$out/train.jsonl" > "$out/plain.jsonl"
"${train[@]}" --set-model backbone=conv3d --method stillmix --set bank="$out/bank" --set p=0.5 \
    -o "$out/still" "$out/train.jsonl" > "$out/still.jsonl"

# 5. Both on clips whose backgrounds tell nothing.
for model in plain still; do
    sbtools eval -o "$out/$model.json" "$out/$model" "$out/test-unbiased.jsonl"
done
sbtools report "$out/plain.json" "$out/still.json"
