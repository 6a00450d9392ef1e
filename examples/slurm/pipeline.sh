#!/usr/bin/env bash
# The whole way on a cluster, from videos to a report: Slurm jobs that wait for one another.
#
#   bash examples/slurm/pipeline.sh TRAIN VAL [OUT]
#
# TRAIN and VAL are folders of videos (subfolders become labels) or .jsonl files of sbtools index,
# OUT is made, ./pipeline by default; all nodes must see them. It submits everything and prints the
# number of the last job, which makes OUT/report.html. When something went wrong, run it again:
# whatever is done is not done again. From the environment:
#
#   SHARDS       tasks of each array, default 64; SHARDS_EVAL, of those that need a GPU, default 4
#   RATIOS       masking ratios: one training each, side by side; default "1:0 0.5:0.5"
#   MAX_FAILED   how many clips may fail, default 2%
#   MASKS        segment.sbatch, or masks.sbatch for learned back ends, on GPUs
#   SBTOOLS_ENV, WEIGHTS    see train.sbatch
#   SEGMENT_OPTIONS, MASK_OPTIONS, TRAIN_OPTIONS, EVAL_OPTIONS     options of the commands
#   SEGMENT_JOB, MASK_JOB, TRAIN_JOB, EVAL_JOB, JOB                options of sbatch; JOB: of all

set -euo pipefail

scripts=$(cd "$(dirname "$0")" && pwd)
train=${1:?usage: pipeline.sh TRAIN VAL [OUT]}
val=${2:?usage: pipeline.sh TRAIN VAL [OUT]}
out=${3:-pipeline}
export MAX_FAILED=${MAX_FAILED:-2%}
allow=(--max-failed "$MAX_FAILED")
segment=(${SEGMENT_OPTIONS:---frames 8})
mask=(${MASK_OPTIONS:---mode bg})
mkdir -p "$out/logs" "$out/runs"

# submit NAME DEPENDENCY SCRIPT...: a job; its number is in $job. A job whose dependency can no
# longer be met is taken out of the queue, where it would wait for ever.
submit() {
    local name=$1 after=$2 how
    shift 2
    how=(--parsable --job-name "$name" --kill-on-invalid-dep=yes ${JOB:-})
    how+=(--output "$out/logs/$name-%j.log" ${after:+--dependency "$after"})
    job=$(sbatch "${how[@]}" "$@")
    job=${job%%;*}
    echo "job $job: $name${after:+, $after}" >&2
}

# after ok|any JOB...: the dependency on the jobs, nothing where none had to be submitted.
after() {
    local kind=$1 jobs
    shift
    jobs="$*"
    [ -z "${jobs// /}" ] || echo "after$kind:$(echo $jobs | tr ' ' ':')"
}

# array STAGE NAME SHARDS DEPENDENCY OPTIONS SCRIPT ARGUMENT...: one task for each shard. The array
# is not asked to have gone well: the join, which waits for its end, looks at what is there, names
# what is missing, and lets so many clips fail as are allowed.
array() {
    local name=$1 shards=$2 after=$3 how=$4
    shift 4
    SBTOOLS_SHARDS=$shards submit "$name" "$after" --array="0-$((shards - 1))" $how "$@"
}

# clips NAME INPUT: the list of clips in $list, and the job that makes it in $job.
clips() {
    list=$2 job=
    case $2 in *.jsonl) return;; esac
    list=$out/$1.jsonl
    [ -e "$list" ] || submit "index-$1" "" "$scripts/command.sbatch" "$list" index "${allow[@]}" "$2"
}

# masks NAME INPUT: OUT/NAME-masks.jsonl, the clips with masks; the job that makes it in $job.
masks() {
    local name=$1 made=$out/$1-masks.jsonl store=$out/masks/$1
    job=
    [ -e "$made" ] && return
    clips "$name" "$2"
    array "masks-$name" "${SHARDS:-64}" "$(after ok $job)" "${SEGMENT_JOB:-}" \
        "$scripts/${MASKS:-segment.sbatch}" "$list" "$store" "${segment[@]}"
    submit "join-$name" "$(after any $job)" \
        "$scripts/join.sbatch" segment "$list" "$store" "$made" "${segment[@]}"
}

masks train "$train"
train_masks=$job
masks val "$val"
val_masks=$job

# The clips of VAL without background: to look at, and for programs of others.
ends=()
if [ ! -e "$out/val-masked.jsonl" ]; then
    from=$out/val-masks.jsonl store=$out/masked/val
    array mask-val "${SHARDS:-64}" "$(after ok $val_masks)" "${MASK_JOB:-}" \
        "$scripts/mask.sbatch" "$from" "$store" "${mask[@]}"
    submit join-masked "$(after any $job)" \
        "$scripts/join.sbatch" mask "$from" "$store" "$out/val-masked.jsonl" "${mask[@]}"
    ends+=("$job")
fi

results=()
for ratio in ${RATIOS:-1:0 0.5:0.5}; do
    name=${ratio//:/-} run=$out/runs/${ratio//:/-}
    results+=("$out/results/$name.json")
    [ -e "$out/results/$name.json" ] && continue
    job=
    if [ ! -e "$run/done.json" ]; then
        submit "train-$name" "$(after ok $train_masks)" ${TRAIN_JOB:-} \
            "$scripts/train.sbatch" "$out/train-masks.jsonl" "$run" "${allow[@]}" \
            --method mask --set "ratio=$ratio" ${TRAIN_OPTIONS:-}
    fi
    array "eval-$name" "${SHARDS_EVAL:-4}" "$(after ok $val_masks $job)" "${EVAL_JOB:-}" \
        "$scripts/eval.sbatch" "$run" "$out/val-masks.jsonl" "$out/scores/$name" ${EVAL_OPTIONS:-}
    submit "join-$name" "$(after any $job)" "$scripts/join.sbatch" \
        eval "$out/val-masks.jsonl" "$out/scores/$name" "$out/results/$name.json"
    ends+=("$job")
done

# What is there is reported, also when a training has failed: the missing result is named, status 3.
submit report "$(after any "${ends[@]}")" \
    "$scripts/command.sbatch" - report -o "$out/report.html" "${results[@]}"
echo "$out/report.html comes from job $job; what each job says is in $out/logs" >&2
echo "$job"
