#!/usr/bin/env bash
# From clips to the page that says what a model goes by: the commands of sbtools-tutorial(7), in one go.
#
#   bash examples/tutorial.sh [OUT]
#
# OUT is made, ./tutorial by default. Takes less than five minutes on two cores. Run it again, also after
# Ctrl-C: clips, masks and trainings that are done are not made again.

set -euo pipefail
mkdir -p "${1:-tutorial}"
cd "${1:-tutorial}"

# 1. Clips
sbtools demo --bias 0,0 --bias .9,0 --splits train,test-unbiased --scale 0.2 demo/ --records demo.jsonl

# 2. Masks
sbtools view --limit 12 -o known.png demo/test-unbiased.jsonl
sbtools segment --limit 6 -o found/ demo/clips/test-unbiased/ --records found.jsonl
sbtools view -o found.png found.jsonl

# 3. A network that knows the actions
sbtools train --model linear --set-model backbone=conv3d --epochs 10 --warmup 1 --batch 16 --lr 3e-3 \
    -o runs/start demo/s00c00-train.jsonl > start.jsonl

# 4. Training where the background betrays the action
sbtools train --model linear --set-model backbone=conv3d --epochs 8 --warmup 1 --batch 16 --lr 3e-3 \
    --weights runs/start -o runs/plain demo/s90c00-train.jsonl > plain.jsonl
sbtools train --model linear --set-model backbone=conv3d --epochs 8 --warmup 1 --batch 16 --lr 3e-3 \
    --weights runs/start --method mask -o runs/masked demo/s90c00-train.jsonl > masked.jsonl
sbtools train --model linear --set-model backbone=conv3d --epochs 8 --warmup 1 --batch 16 --lr 3e-3 \
    --weights runs/start --method stillmix --set frames=random --set p=1 \
    -o runs/stillmix demo/s90c00-train.jsonl > stillmix.jsonl

# 5. What each goes by: the card
sbtools card runs/plain demo/test-unbiased.jsonl -o cards/plain.html
sbtools card runs/masked demo/test-unbiased.jsonl -o cards/masked.html
sbtools card runs/stillmix demo/test-unbiased.jsonl -o cards/stillmix.html
sbtools compare cards/plain.json cards/masked.json

# 6. A benchmark: the same people before stripes
sbtools mask --mode scuba --backgrounds stripes -o scuba/ demo/test-unbiased.jsonl --records scuba.jsonl
sbtools mask --mode scufo --backgrounds stripes -o scufo/ demo/test-unbiased.jsonl --records scufo.jsonl
cat demo/test-unbiased.jsonl scuba.jsonl scufo.jsonl > test.jsonl
sbtools eval --pairs -o results/plain.json runs/plain test.jsonl
sbtools eval --pairs -o results/masked.json runs/masked test.jsonl
sbtools eval --pairs -o results/stillmix.json runs/stillmix test.jsonl

# 7. The report
sbtools report -o report.html results/*.json
