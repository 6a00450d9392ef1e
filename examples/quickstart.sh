#!/usr/bin/env bash
# The whole way once: from a folder of videos to clips without background.
#
#   bash examples/quickstart.sh CLIPS [OUT]
#
# CLIPS is a folder of videos (subfolders become labels), OUT is made, ./quickstart by default.
# Run it again, also after Ctrl-C: whatever is done is not done again.

set -euo pipefail   # pipefail: a stage that fails in the middle of a pipe must not go unnoticed

clips=${1:?usage: quickstart.sh CLIPS [OUT]}
out=${2:-quickstart}
mkdir -p "$out"

# 1. One line of JSON for each video: its name, label, length and size. A file that cannot be read
#    keeps its line, with the reason in the field "error", and makes the exit status 3. Here such
#    files are allowed; they are named on stderr all the same.
allow=(--max-failed 100%)
sbtools index "${allow[@]}" "$clips" > "$out/clips.jsonl"

# 2. Where are the people? 8 frames of each clip are looked at; --frames asks for others.
#    "classic" needs no weights; the default, auto, would take it with a warning.
sbtools detect "${allow[@]}" --detector classic -o "$out/boxes.jsonl" "$out/clips.jsonl" |
    # 3. The shapes of the people, in a store of masks, from the boxes that come down the pipe.
    sbtools segment "${allow[@]}" --segmenter grabcut --detector classic -o "$out/masks" \
        > "$out/masks.jsonl"

# 4. Hide everything but the person. The masked frames go to a store; --video writes files to
#    look at as well. Other modes: man sbtools-mask
sbtools mask "${allow[@]}" --mode bg -o "$out/masked" --video "$out/look" "$out/masks.jsonl" \
    > "$out/masked.jsonl"

# 5. Is everything there? Silence is good news. A clip that failed above is named here again, and
#    makes the exit status 3; anything else is worth stopping for.
sbtools check --against "$out/clips.jsonl" "$out/masks" "$out/masked" "$out/masked.jsonl" ||
    [ $? = 3 ]

# 6. Look at it, before any number is believed.
sbtools view "${allow[@]}" -o "$out/masks.png" "$out/masks.jsonl" > /dev/null
sbtools view "${allow[@]}" -o "$out/masked.png" "$out/masked.jsonl" > /dev/null
echo "look at $out/masks.png, $out/masked.png and $out/look/" >&2
