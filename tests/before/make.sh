#!/bin/bash
# Makes the archive of this folder: bash make.sh OUT.tar.xz, with `sbtools` of the commit on PATH.
# Of the clips nothing is kept; `sbtools demo` makes them again.
set -euo pipefail
export LC_ALL=C OMP_NUM_THREADS=1
out=$(realpath "$1") here=$(dirname "$(realpath "$0")") work=$(mktemp -d)
cd "$work"
common=(--workers 0)
few=(--limit 4 "${common[@]}")
train=(train --batch 4 --frames 2 --device cpu "${common[@]}")
eval=(eval --device cpu --bootstrap 50 "${common[@]}")

# records and stores; `half` has one shard of two
sbtools demo demo --cell .9,0 --splits train,val-iid --scale 0.01 --size 32 --frames 4 --seed 5 \
    "${common[@]}" > demo.jsonl
sbtools index "${few[@]}" demo/clips > clips.jsonl
sbtools detect --detector motion "${few[@]}" clips.jsonl > boxes.jsonl
sbtools segment --segmenter grabcut --frames 2 "${few[@]}" -o masks boxes.jsonl > masks.jsonl
sbtools mask --mode bg --compress 9 "${few[@]}" -o pixels masks.jsonl > pixels.jsonl
sbtools segment --segmenter grabcut --frames 2 "${few[@]}" --detector motion --shard 0/2 -o half boxes.jsonl \
    > half.jsonl

# `done` ended after two epochs, `stopped` was asked to stop; `whole.jsonl` is what it tells of all
python3 "$here/small_clip.py" small.pt
for run in done stopped whole; do
    case $run in
        done) how=(--model actionclip --set-model head=meanP --epochs 2 --ema 0.9 --lr 1e-2
                   --warmup 0 --select val
                   --val demo/s90c00-val-iid.jsonl) ;;
        *) how=(--method mask --set ratio=1:1:1:1 --epochs 8 --lr 3e-3 --warmup 1 --ema 0.5) ;;
    esac
    sbtools "${train[@]}" --weights small.pt "${how[@]}" -o $run demo/s90c00-train.jsonl \
        > $run.jsonl &
    if [ $run = stopped ]; then
        until [ -s stopped.jsonl ]; do sleep 0.02; done
        kill -TERM $!
        wait $! || [ $? = 143 ]
    else
        wait $!
    fi
done
[ "$(wc -l < stopped.jsonl)" -lt 8 ]
rm -r whole done/previous.pt* stopped/previous.pt*

sbtools check --digest demo/masks masks pixels > digests
: > empty.mp4
sbtools index empty.mp4 "${common[@]}" > failed.jsonl || [ $? = 3 ]

# results of the two runs over the same clips, of scores alone, and of a card
sbtools "${eval[@]}" done --scores scores --examples 1 -o done.json demo/s90c00-val-iid.jsonl
sbtools "${eval[@]}" stopped --examples 0 -o stopped.json demo/s90c00-val-iid.jsonl
sbtools card done --device cpu --bootstrap 50 "${common[@]}" --examples 0 -o card.html \
    demo/s90c00-val-iid.jsonl > /dev/null
rm -r demo/clips card.html empty.mp4
XZ_OPT=-9e tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cJf "$out" .
cd / && rm -r "$work"
