#!/usr/bin/env bash
# Does masking make a model look at the action? A claim held against clips whose answer is known.
#
#   bash examples/masking-demo.sh [--fast] [OUT [SEED...]]
#
# Models are trained twice: on clips whose backgrounds tell nothing (rho 0), and on clips whose
# background is that of their class in 9 of 10 (rho .9). Both are judged on the same free clips. What
# masking gains at rho .9, less what it gains at rho 0, is what it does against the bias.
#
# A seed changes everything together: captions, pretraining, clips of training, validation and test,
# weights, order and draws. Every seed takes one core for about half an hour; JOBS of them, by default
# the cores at hand, go side by side. SEED... are the seeds to make, by default all of the settings.
#
# OUT is made, ./masking-demo by default. Run it again, also after Ctrl-C: whatever is done is not done
# again. When a seed is done its clips are removed, unless KEEP=1 is set. --fast tries the commands out
# in two minutes, and what it prints means nothing. Settings stand in masking-demo.settings. The results
# of the README lie in examples/results; `python examples/masking-demo.py examples/results` makes its
# table of them, without any training.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/masking-demo.settings"
fast=
if [ "${1:-}" = --fast ]; then
    fast=1
    shift
    . "$here/masking-demo.fast"
fi
out=${1:-masking-demo}
[ $# -eq 0 ] || shift
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
mkdir -p "$out/runs" "$out/results" "$out/log"

say() {
    printf '%(%H:%M:%S)T  %s\n' -1 "$*" >&2
}

# made FILE COMMAND...: what COMMAND prints, in FILE; not again where FILE stands.
made() {
    local file=$1
    shift
    [ -e "$file" ] || { "$@" > "$file.part" && mv "$file.part" "$file"; }
}

# train RUN RECORDS MODEL SEED SETTING...
train() {
    local run=$1 records=$2 model=$3 seed=$4 options=() setting
    shift 4
    [ -e "$out/runs/$run/done.json" ] && return
    declare -n recipe=$model
    for setting; do
        options+=(--set "$setting")
    done
    sbtools train -q --workers 0 --weights "$out/tiny-$seed.safetensors" "${recipe[@]}" \
        --method mask "${options[@]}" --seed "$seed" --cache "$out/clips-$seed/cache" \
        -o "$out/runs/$run" "$records" > "$out/log/$run.jsonl"
}

# judge RUN SET RECORDS OPTION...: without clips, the result is small enough to be kept.
judge() {
    local run=$1 set=$2 records=$3 result=$out/results/$1-$2.json
    shift 3
    [ -e "$result" ] && return
    sbtools eval -q --workers 0 --no-per-clip --examples 0 "$@" -o "$result" "$out/runs/$run" "$records"
}

# arm SEED NAME MODEL CELL SETTING...: one model, trained and judged. What decides anything is judged
# on validation clips (val-...), what is told on test clips.
arm() {
    local seed=$1 name=$2 model=$3 cell=$4 clips=$out/clips-$1 run=$2-$4-$1
    shift 4
    train "$run" "$clips/${cell}c00-train.jsonl" "$model" "$seed" "$@"
    judge "$run" val-iid "$clips/${cell}c00-val-iid.jsonl" --views plain
    judge "$run" val-conflict "$clips/val-conflict.jsonl" --views plain
    judge "$run" free "$clips/free.jsonl" --views "$VIEWS" --pairs --group-by group
    [ "$cell" = s00 ] || judge "$run" biased "$clips/s90c00-test-iid.jsonl" --views "$VIEWS"
    judge "$run" conflict "$clips/test-conflict.jsonl" --views plain
}

# arms SEED: what is trained with this seed, a line each.
arms() {
    local name model seeds cells settings cell
    while read -r name model seeds cells settings; do
        [[ -n $name && $1 -le $seeds ]] || continue
        for cell in ${cells//,/ }; do
            echo "$name $model $cell $settings"
        done
    done <<< "$ARMS"
}

# missing SEED: whether any result of it is still to be made.
missing() {
    local name model cell settings set
    while read -r name model cell settings; do
        for set in val-iid val-conflict free biased conflict; do
            [ "$cell-$set" = s00-biased ] ||
                [ -e "$out/results/$name-$cell-$1-$set.json" ] || return 0
        done
    done < <(arms "$1")
    return 1
}

# seed SEED: clips, a small CLIP that never sees the name of an action, and all arms, on one core.
seed() {
    local seed=$1 clips=$out/clips-$1 line
    missing "$seed" || return 0
    say "seed $seed: clips"
    local demo=(sbtools demo -q --workers 0 --seed "$seed")
    made "$clips.jsonl" "${demo[@]}" --captions --scale "$CLIPS" --bias 0,0 --bias .9,0 \
        --splits train,val-iid,val-conflict,captions "$clips"
    made "$clips-tests.jsonl" "${demo[@]}" --scale "$TESTS" --bias .9,0 \
        --splits test-iid,test-unbiased,test-conflict,do-scene "$clips"
    made "$clips/free.jsonl" cat "$clips/test-unbiased.jsonl" "$clips/do-scene.jsonl"
    if [ ! -e "$out/tiny-$seed.safetensors" ]; then
        say "seed $seed: a small CLIP"
        sbtools train -q --pretrain captions --seed "$seed" "${PRETRAIN[@]}" \
            -o "$out/tiny-$seed.safetensors" "$clips/captions.jsonl" > "$out/log/tiny-$seed.jsonl"
    fi
    while read -r line; do
        say "seed $seed: $line"
        # shellcheck disable=SC2086
        arm "$seed" $line < /dev/null
    done < <(arms "$seed")
    [ -n "${KEEP:-}" ] || rm -r "$clips" "$clips.jsonl" "$clips-tests.jsonl"
}

# What xargs starts, below.
if [ "${1:-}" = seed ]; then
    log=$out/log/seed-$2.txt
    # Memory that is freed is kept: else a third of the time goes into getting it back.
    export OMP_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=4000000000
    exec 3>&2 2> >(tee -a "$log" >&3)
    set -E
    trap 'exit 255' ERR     # xargs starts no other
    seed "$2"
    exit
fi

# Settings are not changed under a comparison that has begun.
told=$(cat "$here/masking-demo.settings" ${fast:+"$here/masking-demo.fast"})
if [ -e "$out/settings" ] && [ "$told" != "$(cat "$out/settings")" ]; then
    echo "masking-demo.sh: $out was begun with other settings: name another folder" >&2
    exit 2
fi
echo "$told" > "$out/settings"

seeds=("$@")
[ ${#seeds[@]} -gt 0 ] || mapfile -t seeds < <(seq "$SEEDS")
printf '%s\n' "${seeds[@]}" | xargs -P "$jobs" -I SEED bash "$0" ${fast:+--fast} "$out" seed SEED

say "what came out"
PYTHONPATH=$here/..${PYTHONPATH:+:$PYTHONPATH} "${PYTHON:-python3}" "$here/masking-demo.py" \
    "$out/results" --figure "$out/masking-demo.png" | tee "$out/table.md"
