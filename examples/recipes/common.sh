# What the recipes share: they source this file, it does nothing by itself.
#
# The tables are those of "Masking background and object reduce static bias for zero-shot action
# recognition". Every recipe is told where the data set lies, and writes into a folder of its own
# (OUT). Run it again, also after Ctrl-C: whatever is done is not done again. From the environment:
#
#   CLIP       weights of CLIP ViT-B/32; default those of `sbtools weights fetch clip-vit-b-32`
#   DETECTOR   default grounding-dino   SEGMENTER  default sam; `sbtools weights fetch` gets theirs
#   SUBMIT     "sbatch --wait": the long stages become Slurm jobs, see examples/slurm
#   PUBLISHED  1: take the best epoch on the clips that are judged, as the paper does, where these
#              are of the classes that are trained on; default the last epoch
#   MODELS     rows of the table, default "vificlip actionclip"
#   RATIOS     masking ratios, default those of the table   SEEDS  splits, default "1 2 3"
#   WORKERS    processes that decode in training and judging; default the cores at hand
#   LIMIT      mask, train and judge so many clips of each list, and
#   TRIAL      more options of `sbtools train`: to try the commands out

set -euo pipefail   # pipefail: a stage that fails in the middle of a pipe must not go unnoticed

slurm=$(dirname "${BASH_SOURCE[0]}")/../slurm
detector=${DETECTOR:-grounding-dino}
segmenter=${SEGMENTER:-sam}
models=${MODELS:-vificlip actionclip}
seeds=${SEEDS:-1 2 3}
# Videos vanish from the internet, and some files are damaged: they are named, and up to a tenth may
# be missing. A class or a label that is not found is an error all the same.
allow=(--max-failed 10%)
limit=(${LIMIT:+--limit "$LIMIT"})
workers=(${WORKERS:+--workers "$WORKERS"})
trial=(${TRIAL:-})

# begin OUT: make the folder, and find the weights of CLIP.
begin() {
    out=$1
    mkdir -p "$out/runs" "$out/results"
    CLIP=${CLIP:-$(sbtools weights list --json |
        sed -n '/"name": "clip-vit-b-32"/s/.*"found": "\(.*\)"}$/\1/p')}
    [ -n "$CLIP" ] || sbtools weights verify clip-vit-b-32 > /dev/null   # names what to do
}

# made FILE COMMAND...: what COMMAND prints, in FILE; not again where FILE stands.
made() {
    local file=$1
    shift
    [ -e "$file" ] || { "$@" > "$file.part" && mv "$file.part" "$file"; }
}

# jobs SCRIPT ARGUMENT...: a script of examples/slurm as Slurm jobs; says when one of them failed.
jobs() {
    local code=0
    $SUBMIT "$slurm/$1" "${@:2}" || code=$?
    [ "$code" = 0 ] || echo "${0##*/}: $1: a job ended with $code, its log says why" >&2
    return "$code"
}

# whole STORE CLIPS: ends the recipe where tasks have left clips out, which are named, or more failed
# than may. Not a task that failed ends it: others may have done its work.
whole() {
    local code=0
    sbtools status "${allow[@]}" "$1" "$2" >&2 || code=$?
    [ "$code" = 0 ] || echo "${0##*/}: stopped at $1: see above what to submit again, or what failed" >&2
    [ "$code" = 0 ] || exit "$code"
}

# index NAME DATASET FOLDER OPTION...: OUT/NAME.jsonl, the clips of an official list.
index() {
    local name=$1 dataset=$2 folder=$3
    shift 3
    made "$out/$name.jsonl" sbtools index "${allow[@]}" --dataset "$dataset" "$@" "$folder"
}

# choose NAME FROM OPTION...: OUT/NAME.jsonl, some of the clips of OUT/FROM.jsonl.
choose() {
    local name=$1 from=$2
    shift 2
    made "$out/$name.jsonl" sbtools split "${allow[@]}" "$@" "$out/$from.jsonl"
}

# masks NAME RULE: OUT/NAME-masks.jsonl, the clips of OUT/NAME.jsonl with masks of people, and of the
# objects that they name, in the frames of RULE. "hand" finds those whose body is out of the picture.
masks() {
    local clips=$out/$1.jsonl store=$out/masks/$1 done=$out/$1-masks.jsonl
    local how=("${limit[@]}" --detector "$detector" --segmenter "$segmenter" --frames "$2")
    [ "$detector" != grounding-dino ] || how+=(--person person,hand)
    [ -e "$done" ] && return
    mkdir -p "$out/masks"
    if [ -n "${SUBMIT:-}" ]; then
        jobs masks.sbatch "$clips" "$store" "${how[@]}" || true
        whole "$store" "$clips"
    fi
    # After the jobs this finds every clip done, and prints its record.
    made "$done" sbtools segment "${allow[@]}" "${how[@]}" -o "$store" "$clips"
}

# train RUN RECORDS VAL OPTION...: OUT/runs/RUN. VAL is - where what is judged has other classes.
train() {
    local run=$out/runs/$1 clips=$out/$2-masks.jsonl val=$3
    shift 3
    local how=("${allow[@]}" "${workers[@]}" --cache "$out/cache" "$@" "${trial[@]}")
    if [ -n "${PUBLISHED:-}" ] && [ "$val" != - ]; then
        how+=(--val "$out/$val-masks.jsonl" --select eval-as-published)
    fi
    [ -e "$run/done.json" ] && return
    if [ -n "${SUBMIT:-}" ]; then
        WEIGHTS=$CLIP jobs train.sbatch "$clips" "$run" "${how[@]}"
    else
        sbtools train --weights "$CLIP" "${how[@]}" -o "$run" "$clips" > "$run.jsonl"
    fi
}

# judge RUN RECORDS RESULT OPTION...: OUT/results/RESULT.json, with top1, P-top1 and B-top1.
judge() {
    local run=$out/runs/$1 clips=$out/$2-masks.jsonl result=$out/results/$3.json scores=$out/scores/$3
    shift 3
    [ -e "$result" ] && return
    if [ -n "${SUBMIT:-}" ]; then
        mkdir -p "$out/scores"
        jobs eval.sbatch "$run" "$clips" "$scores" "${workers[@]}" "$@" || true
        whole "$scores" "$clips"
        sbtools eval "${allow[@]}" --from-scores "$scores" -o "$result"
    else
        sbtools eval "${allow[@]}" "${workers[@]}" "$run" "$clips" "$@" -o "$result"
    fi
}

# table: what came out, beside what was published.
table() {
    sbtools report --published -o "$out/report.html" "$out"/results/*.json
}

# name RATIO: as it stands in file names, 0.5:0.5 becomes 0.5-0.5.
name() {
    echo "${1//:/-}"
}

# few_shot: of OUT/train.jsonl and OUT/val.jsonl the base-to-novel setting. Base is the half of the
# classes that most training clips have; s1, s2 and s3 hold 16 shots of each.
few_shot() {
    local seed
    for seed in $seeds; do
        choose "s$seed" train --group base --shots 16 --seed "$seed" --write-classes "$out/base.txt"
        masks "s$seed" segments:8x4
    done
    choose novel-train train --group novel --write-classes "$out/novel.txt"
    choose base val --group base --base "$out/base.txt"
    choose novel val --group novel --base "$out/base.txt"
    masks base 8
    masks novel 8
}

# base_to_novel MODEL RATIO P_VIEW: train on each split, judge on base and on novel classes.
base_to_novel() {
    local model=$1 ratio=$2 view=$3 seed run part
    for seed in $seeds; do
        run=$model-$(name "$ratio")-s$seed
        train "$run" "s$seed" base --model "$model" --method mask --set "ratio=$ratio" \
            --classes "$out/base.txt" --seed "$seed" --lr 8e-6 --epochs 40
        for part in base novel; do
            judge "$run" "$part" "$part-$run" --classes "$out/$part.txt" --p-view "$view"
        done
    done
}
