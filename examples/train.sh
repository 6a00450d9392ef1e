#!/usr/bin/env bash
# Does masking help where the background betrays the action? Trained and looked at on generated clips.
#
#   bash examples/train.sh [OUT]
#
# OUT is made, ./train-demo by default. Takes some minutes on a CPU. Run it again, also after Ctrl-C:
# whatever is done is not done again, and a training goes on where it stood. CLIPS=0.1 EPOCHS=2 makes
# it a trial of the commands.

set -euo pipefail

out=${1:-train-demo}
clips=${CLIPS:-1}
epochs=${EPOCHS:-20}
mkdir -p "$out"

# 1. Clips whose background is that of their class in 9 of 10 cases, with exact masks of all frames,
#    and with captions of free clips for a small CLIP.
sbtools demo --captions --bias .9,0 --splits train,val-iid,captions --scale "$clips" "$out/demo" \
    > "$out/demo.jsonl"
for split in train val-iid captions; do
    grep "\"split\": \"$split\"" "$out/demo.jsonl" > "$out/$split.jsonl"
done

# 2. A small CLIP, in place of the real one. It never sees the name of an action.
[ -e "$out/tiny.safetensors" ] ||
    sbtools train --pretrain captions --epochs "${EPOCHS:-10}" -o "$out/tiny.safetensors" \
        "$out/captions.jsonl" > "$out/tiny.jsonl"

# 3. The same training twice: as it is, and with the background of half of the clips hidden. Both draw
#    from the same frames. A line of JSON for each epoch.
recipe=(--weights "$out/tiny.safetensors" --lr 1e-3 --warmup 1 --epochs "$epochs"
    --cache "$out/cache" --val "$out/val-iid.jsonl")
sbtools train "${recipe[@]}" -o "$out/plain" "$out/train.jsonl" > "$out/plain.jsonl"
sbtools train "${recipe[@]}" --method mask --set ratio=0.5:0.5 -o "$out/mask" "$out/train.jsonl" \
    > "$out/mask.jsonl"

tail -n 1 "$out/plain.jsonl" "$out/mask.jsonl"
