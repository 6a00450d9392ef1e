#!/usr/bin/env bash
# Does masking make a model look at the action? A claim held against clips whose answer is known.
#
#   bash examples/masking-demo.sh [--fast] [OUT]
#
# Models are trained twice: on clips whose backgrounds tell nothing (rho 0), and on clips whose
# background is that of their class in 9 of 10 (rho .9). Both are judged on the same free clips. What
# masking gains at rho .9, less what it gains at rho 0, is what it does against the bias.
#
# OUT is made, ./masking-demo by default. Takes about an hour on two cores; run it again, also after
# Ctrl-C: whatever is done is not done again. --fast tries the commands out in two minutes, and what
# it prints means nothing. Settings stand in masking-demo.settings. From the environment: JOBS, how
# many models are trained at a time, each on one core; default the cores at hand.

set -euo pipefail
shopt -s extglob

here=$(cd "$(dirname "$0")" && pwd)
. "$here/masking-demo.settings"
fast=
if [ "${1:-}" = --fast ]; then
    fast=1
    shift
    . "$here/masking-demo.fast"
fi
out=${1:-masking-demo}
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
    sbtools train -q --workers 0 --weights "$out/tiny.safetensors" "${recipe[@]}" --method mask \
        "${options[@]}" --seed "$seed" --cache "$out/cache" -o "$out/runs/$run" "$records" \
        > "$out/log/$run.jsonl"
}

# judge RUN RESULT RECORDS OPTION...
judge() {
    local run=$1 result=$out/results/$2.json records=$3
    shift 3
    [ -e "$result" ] && return
    sbtools eval -q --workers 0 --cache "$out/cache" "$@" -o "$result" "$out/runs/$run" "$records"
}

# arm NAME MODEL SEED CELL SETTING...: of the 12 actions.
arm() {
    local name=$1 model=$2 seed=$3 cell=$4
    local run=$name-$cell-$seed
    shift 4
    train "$run" "$out/demo/${cell}c00-train.jsonl" "$model" "$seed" "$@"
    judge "$run" "$run-iid" "$out/demo/${cell}c00-test-iid.jsonl" --views "$IID_VIEWS"
    judge "$run" "$run-unbiased" "$out/unbiased.jsonl" --views "$VIEWS" --pairs --group-by group
    judge "$run" "$run-conflict" "$out/demo/test-conflict.jsonl" --views plain
}

# zero NAME MODEL SEED CELL SETTING...: of verb and object, 8 of whose 24 names are never trained on.
zero() {
    local name=$1 model=$2 seed=$3 cell=$4
    local run=zs-$name-$cell-$seed sets=$out/zero-shot both=(--base "$out/base.txt" --novel "$out/novel.txt")
    shift 4
    train "$run" "$sets/${cell}c00-zs-train.jsonl" "$model" "$seed" "$@"
    made "$out/zs-$cell.jsonl" cat "$sets/${cell}c00-zs-base.jsonl" "$sets/${cell}c00-zs-novel.jsonl"
    [ -e "$out/results/$run-zs-novel.json" ] ||
        judge "$run" "$run-zs" "$out/zs-$cell.jsonl" --views "$IID_VIEWS" "${both[@]}"
    [ -e "$out/results/$run-mimetics-novel.json" ] ||
        judge "$run" "$run-mimetics" "$sets/zs-mimetics.jsonl" --views "$IID_VIEWS" "${both[@]}"
}

# One model, trained and judged on one core: what `all` starts.
if [ $# -gt 1 ]; then
    shift
    log=$out/log/$1-$2-$5-$4.txt
    say "$1 $2 $5 seed $4"
    # Memory that is freed is kept: else a third of the time goes into getting it back.
    export OMP_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=4000000000
    exec 3>&2 2>> "$log"
    set -E
    trap 'cat "$log" >&3; exit 255' ERR     # 255: xargs starts no other
    "$@"
    exit
fi

# all KIND TABLE PATTERN: the models of the lines of a table whose names match, JOBS at a time.
all() {
    local kind=$1 name model count settings cell seed
    while read -r name model count settings; do
        [[ $name == $3 ]] || continue
        for ((seed = 1; seed <= count; seed++)); do
            for cell in s00 s90; do
                echo "$kind $name $model $seed $cell $settings"
            done
        done
    done <<< "$2" | xargs -P "$jobs" -L 1 bash "$0" ${fast:+--fast} "$out"
}

# Settings are not changed under a comparison that has begun.
told=$(cat "$here/masking-demo.settings" ${fast:+"$here/masking-demo.fast"})
if [ -e "$out/settings" ] && [ "$told" != "$(cat "$out/settings")" ]; then
    echo "masking-demo.sh: $out was begun with other settings: name another folder" >&2
    exit 2
fi
echo "$told" > "$out/settings"

# 1. Clips of both cells with exact masks, names to test zero-shot, and captions to pretrain on.
say "clips"
demo=(sbtools demo -q --scale "$CLIPS" --seed "$SEED" --cell 0,0 --cell .9,0)
made "$out/demo.jsonl" "${demo[@]}" --captions "$out/demo" \
    --splits train,val-iid,test-iid,plates,test-unbiased,test-conflict,do-scene,captions
made "$out/zero-shot.jsonl" "${demo[@]}" --zero-shot "$out/zero-shot" \
    --splits zs-train,zs-base,zs-novel,zs-mimetics
made "$out/unbiased.jsonl" cat "$out/demo/test-unbiased.jsonl" "$out/demo/do-scene.jsonl"
for part in base novel; do
    [ -e "$out/$part.txt" ] ||
        sbtools split -q --write-classes "$out/$part.txt" "$out/zero-shot/s00c00-zs-$part.jsonl" \
            > "$out/log/$part.jsonl"
done

# 2. A small CLIP in place of the real one. It never sees the name of an action.
say "a small CLIP"
if [ ! -e "$out/tiny.safetensors" ]; then
    sbtools train -q --pretrain captions --seed "$SEED" "${PRETRAIN[@]}" \
        -o "$out/tiny.safetensors" "$out/demo/captions.jsonl" > "$out/log/tiny.jsonl"
fi

# 3. The arm without masks, and whether there is anything to see: the gates.
say "the arms without masks"
all arm "$ARMS" '*-none'

# value METRIC RUN...: the mean over the results, in percent.
value() {
    local metric=$1
    shift
    grep -h '^ "metrics":' "$@" | sed "s/.*\"$metric\": {\"value\": \([0-9.]*\).*/\1/" |
        awk '{ sum += $1 } END { printf "%.1f\n", 100 * sum / NR }'
}

# cost ARM: top1 without cues, of rho 0 less of rho .9.
cost() {
    echo "$(value top1 "$1"-s00-*-unbiased.json) $(value top1 "$1"-s90-*-unbiased.json)" |
        awk '{ printf "%.1f\n", $1 - $2 }'
}

# gate WHAT VALUE LEAST
gate() {
    local met=MISSED
    awk -v a="$2" -v b="$3" 'BEGIN { exit a < b }' && met=met
    printf '%-56s %6s  at least %4s  %s\n' "$1" "$2" "$3" "$met"
}

# gates ARM: of the arm without masks, mean over its seeds.
gates() {
    local at=$out/results/$1
    gate "$1, rho 0, top1 without cues" "$(value top1 "$at"-s00-*-unbiased.json)" "$FREE"
    gate "$1, rho .9, top1 with the bias" "$(value top1 "$at"-s90-*-iid.json)" "$BIASED"
    gate "$1, what the bias costs where it is gone" "$(cost "$at")" "$COST"
    gate "$1, rho .9, answers by the scene (SBErr)" \
        "$(value sberr "$at"-s90-*-conflict.json)" "$SBERR"
}
while read -r name rest; do
    [[ $name != *-none ]] || gates "$name"
done <<< "$ARMS" | tee "$out/gates.txt"

# 4. The other arms, and the names that are not seen in training.
say "the other arms"
all arm "$ARMS" '!(*-none)'
say "zero-shot"
all zero "$ZERO" '*'

# fours TABLE PREFIX OF: of each arm that masks the results without bias and with it, each behind that
# of its arm without masks.
fours() {
    local name model count settings seed cell at=$out/results/$2
    while read -r name model count settings; do
        [[ -n $name && $name != *-none ]] || continue
        for ((seed = 1; seed <= count; seed++)); do
            for cell in s00 s90; do
                echo "$at${name%%-*}-none-$cell-$seed-$3.json"
                echo "$at$name-$cell-$seed-$3.json"
            done
        done
    done <<< "$1"
}

# differences NAME TABLE PREFIX OF: the difference of differences, in OUT/NAME.txt and OUT/NAME.json.
differences() {
    local name=$1 files
    shift
    mapfile -t files < <(fours "$@")
    [ ${#files[@]} -gt 0 ] || return 0
    sbtools compare --difference "${files[@]}" > "$out/$name.txt"
    sbtools compare --difference --json -q "${files[@]}" > "$out/$name.json"
}

# 5. What came out. The claim: the difference of differences, for top1 without cues and for the flips
#    when the scene is exchanged, and for top1 on pantomimes of names that were not trained on; in
#    percent, with intervals over seeds and clips.
say "what came out"
differences differences "$ARMS" "" unbiased
differences zero-shot-differences "$ZERO" zs- mimetics-novel
sbtools report -q --details 4 -o "$out/report.html" "$out"/results/*.json > "$out/all.txt"
sbtools report -q "$out"/results/*-unbiased.json "$out"/results/zs-*.json > "$out/table.txt"
cat "$out/table.txt" "$out"/*differences.txt "$out/gates.txt"
if grep -q MISSED "$out/gates.txt"; then
    echo "A gate was missed: what is told above of that model is not to be relied on."
fi
