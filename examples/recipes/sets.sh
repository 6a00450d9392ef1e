# What hmdb51.sh, ucf101.sh and kinetics400.sh share: they source this file, it does nothing by itself.
#
# The tables are those of ALBAR's slides, and of StillMix: a method a row; top1 of the official test
# clips (IID), SCUBA, SCUFO, ConflFG and contrasted. Every recipe is told where the data set lies, and
# where BIAS, the sets that were made of it; it trains without a method, with StillMix and with ALBAR, as
# their authors did, and judges by their tests. BIAS holds, in whatever folders,
#
#   of ALBAR      HMDB51_SCUBA_Stripe, HMDB51_SCUFO_Stripe, HMDB51_ConflFG_Stripe and so on; or
#   of StillMix   SET/generated_videos/VIDEO__K and, under a folder SET too, the list of the set,
#                 testlist01.txt, dynamic_testlist01.txt or val.txt; SET as in its configurations,
#                 replacebackground_with_mask_for_HMDB51_test_stripe. SCUFO was not released: a frame of
#                 each clip of SCUBA is drawn, by the clip's name.
#
# Run it again, also after Ctrl-C: whatever is done is not done again. From the environment:
#
#   WEIGHTS        Video Swin-T of Kinetics-400, torchvision's swin3d_t
#   IMAGE_WEIGHTS  Swin-T of ImageNet, torchvision's swin_t: what tells StillMix which frames betray
#                  the class begins with it, and on Kinetics-400 training itself
#   METHODS        rows of the table, default "plain stillmix albar"   SEEDS  default "1"
#   PROTOCOLS      the tests, default albar's and StillMix's of the data set
#   SUBMIT         "sbatch --wait": training and judging become Slurm jobs, see examples/slurm
#   PUBLISHED      1: take the best epoch on the test clips, as ALBAR's authors do; default the last
#   WORKERS        processes that decode; default the cores at hand
#   LIMIT          train and judge so many clips of each list, and
#   TRIAL          more options of `sbtools train`: to try the commands out
#   BACKBONE, IMAGE_BACKBONE   other networks than swin3d_t and swin_t

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
methods=${METHODS:-plain stillmix albar}
seeds=${SEEDS:-1}
backbone=(${BACKBONE:+--set-model "backbone=$BACKBONE"})

# start OUT: make the folder, and say which weights are wanted.
start() {
    out=$1
    classes=$out/classes.txt
    : "${WEIGHTS:?names the weights to begin with, see examples/recipes/sets.sh}"
    case " $methods " in *" stillmix "*) : "${IMAGE_WEIGHTS:?names those of images, see sets.sh}" ;; esac
    mkdir -p "$out/runs" "$out/results" "$out/sets"
}

# sets BIAS NAME OPTION...: OUT/pairs.jsonl, SCUBA and SCUFO, and OUT/conflfg.jsonl. NAME as in
# NAME_SCUBA_Stripe; the options go to sbtools index.
sets() {
    local bias=$1 name=$2 folder
    shift 2
    while read -r folder; do
        one_set albar "${folder##*/}" "$folder" "$@"
    done < <(find -L "$bias" -type d -name "${name}_*_*" | sort)
    while read -r folder; do
        folder=${folder%/generated_videos}
        of_stillmix "$bias" "${folder##*/}" "$folder/generated_videos" "$@"
    done < <(find -L "$bias" -type d -name generated_videos | sort)
    joined pairs "$out"/sets/*-scuba.jsonl "$out"/sets/*-scufo.jsonl
    joined conflfg "$out"/sets/*-conflfg.jsonl
    [ -s "$out/pairs.jsonl" ] || { echo "${0##*/}: $bias holds no set of ${name}, see sets.sh" >&2; exit 2; }
}

# one_set READER SET FOLDER OPTION...: OUT/sets/SET-VARIANT.jsonl.
one_set() {
    local reader=$1 set=$2 folder=$3 variant
    shift 3
    case ${set,,} in
    *conflfg* | *mix_dynamic_static*) variant=conflfg ;;
    *scufo*) variant=scufo ;;
    *) variant=scuba ;;
    esac
    index "sets/$set-$variant" "$reader" "$folder" "${limit[@]}" "$@"
}

# of_stillmix BIAS SET FRAMES OPTION...: the set by its list, and SCUFO of SCUBA.
of_stillmix() {
    local bias=$1 set=$2 frames=$3 list
    shift 3
    case ${set,,} in *_static_for_* | *scufo*) return ;; esac   # made below, for every background
    list=$(find -L "$bias" -path "*/$set/*" \( -name '*testlist01.txt' -o -name val.txt \) | sort | sed -n 1p)
    [ -n "$list" ] || { echo "${0##*/}: there is no list of $set in $bias" >&2; exit 2; }
    one_set stillmix "$set" "$frames" --annotations "$list" "${numbered[@]}"
    case ${set,,} in *conflfg* | *mix_dynamic_static*) return ;; esac
    stills "$frames" "$out/stills/SCUFO_$set"
    one_set albar "SCUFO_$set" "$out/stills/SCUFO_$set" "$@"
}

# stills FRAMES FOLDER: FOLDER/CLIP.jpg, one frame of every clip.
stills() {
    local frames=$1 folder=$2 clip images number
    [ -d "$folder" ] && return
    mkdir -p "$folder.part"
    for clip in "$frames"/*/; do
        clip=${clip%/}
        images=("$clip"/*.jpg)
        number=$(printf %s "${clip##*/}" | cksum)
        cp -- "${images[${number%% *} % ${#images[@]}]}" "$folder.part/${clip##*/}.jpg"
    done
    mv "$folder.part" "$folder"
}

# joined NAME FILE...: OUT/NAME.jsonl, of those files that there are.
joined() {
    local target=$out/$1.jsonl file
    shift
    [ -e "$target" ] && return
    for file in "$@"; do
        [ ! -e "$file" ] || cat "$file"
    done > "$target.part"
    mv "$target.part" "$target"
}

# bank OPTION...: OUT/bank, frames that tell the class by themselves, by a network of single frames.
bank() {
    local run=$out/runs/frames
    local how=(--model linear --set-model "backbone=${IMAGE_BACKBONE:-swin_t}" --frames 1
        --set-model short=232 --set-model crop=random --set-model flip=always --set-model jitter=0
        --set-model gray=0 --set-model normalise=imagenet --optimiser sgd --set-optimiser momentum=0
        --lr .01 --weight-decay 1e-5 --batch 64 --epochs "${FRAME_EPOCHS:-50}" --warmup 0
        --schedule steps --set-schedule at=20,40)
    [ -e "$run/done.json" ] || run_of "$run" "$IMAGE_WEIGHTS" "${how[@]}"
    made "$out/scored.jsonl" sbtools bank "${allow[@]}" "${workers[@]}" --frames 1024 "$@" \
        --scores "$out/scores/frames" -o "$out/bank" "$run" "$out/train.jsonl"
}

# learn METHOD WEIGHTS OPTION...: OUT/runs/METHOD-sSEED, for every seed, if METHOD is a row.
learn() {
    local method=$1 weights=$2 seed how
    shift 2
    case " $methods " in *" $method "*) ;; *) return 0 ;; esac
    how=("${backbone[@]}" "$@" "${trial[@]}")
    [ -z "${PUBLISHED:-}" ] || how+=(--val "$out/test.jsonl" --select eval-as-published)
    for seed in $seeds; do
        [ -e "$out/runs/$method-s$seed/done.json" ] ||
            run_of "$out/runs/$method-s$seed" "$weights" --seed "$seed" "${how[@]}"
    done
}

# run_of RUN WEIGHTS OPTION...: train on OUT/train.jsonl.
run_of() {
    local run=$1 weights=$2
    shift 2
    local how=("${allow[@]}" "${workers[@]}" --classes "$classes" --cache "$out/cache" "$@")
    if [ -n "${SUBMIT:-}" ]; then
        WEIGHTS=$weights jobs train.sbatch "$out/train.jsonl" "$run" "${how[@]}"
    else
        sbtools train --weights "$weights" "${how[@]}" -o "$run" "$out/train.jsonl" > "$run.jsonl"
    fi
}

# judge_all PROTOCOL...: every run on the test clips, on SCUBA with SCUFO, and on ConflFG.
judge_all() {
    local protocol method seed part
    for protocol in ${PROTOCOLS:-"$@"}; do
        for method in $methods; do
            for seed in $seeds; do
                for part in test pairs conflfg; do
                    [ ! -s "$out/$part.jsonl" ] || judged "$method-s$seed" "$protocol" "$part"
                done
            done
        done
    done
}

# judged RUN PROTOCOL PART: OUT/results/RUN-PROTOCOL-PART.json.
judged() {
    local run=$out/runs/$1 clips=$out/$3.jsonl name=$1-$2-$3
    local result=$out/results/$name.json scores=$out/scores/$name
    [ -e "$result" ] && return
    if [ -n "${SUBMIT:-}" ]; then
        mkdir -p "$out/scores"
        jobs eval.sbatch "$run" "$clips" "$scores" "${workers[@]}" --protocol "$2" || true
        whole "$scores" "$clips"
        sbtools eval "${allow[@]}" --pairs --from-scores "$scores" -o "$result"
    else
        sbtools eval "${allow[@]}" "${workers[@]}" --pairs --protocol "$2" "$run" "$clips" -o "$result"
    fi
}
