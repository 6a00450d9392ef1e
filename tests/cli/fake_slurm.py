"""An srun, an scancel and an sbtools for PATH: nodes, as far as a batch script sees them."""

from __future__ import annotations

from pathlib import Path

from tests.test_examples import executable

SRUN = r"""
echo "$@" > "$LOGS/srun.log"
while [[ $1 == --* ]]; do [[ $1 == --nodes=* ]] && nodes=${1#*=}; shift; done
for ((node = 0; node < nodes; node++)); do SLURM_PROCID=$node setsid "$@" & pids+=($!); done
echo "${pids[@]}" > "$LOGS/pids.tmp"; mv "$LOGS/pids.tmp" "$LOGS/pids"
worst=0 left=("${pids[@]}")
while [ ${#left[@]} != 0 ]; do
    alive=()
    for pid in "${left[@]}"; do
        kill -0 "$pid" && { alive+=("$pid"); continue; }
        wait "$pid"; code=$?
        [ "$code" -gt "$worst" ] && worst=$code
    done
    left=("${alive[@]}")
    [ "$worst" = 0 ] || for pid in "${left[@]}"; do kill -TERM -- "-$pid"; done
    sleep 0.1
done 2> /dev/null
exit "$worst"
"""
"""As --kill-on-bad-exit does, it ends the other nodes, again and again until they are gone: one
that is just being started hears nothing. Its status is the highest one. (`wait -n` would miss one
that ended before it was called.)"""

SCANCEL = r"""
echo "$@" >> "$LOGS/scancel.log"
[ -e "$LOGS/deaf" ] && { rm "$LOGS/deaf"; exit 1; }
for pid in $(cat "$LOGS/pids"); do kill -"${1#--signal=}" -- "-$pid" 2>/dev/null; done
exit 0
"""
"""To whole process groups, as Slurm signals a step."""

SBTOOLS = r"""
[ -e "$LOGS/words" ] || printf '%s\n' "$@" > "$LOGS/words"
node=$SLURM_PROCID
trap "$ON_USR1" USR1; trap "${ON_TERM:-exit 143}" TERM
touch "$LOGS/ready.$node"
end=END_$node; end=${!end:-${DONE:+exit $DONE}}
while [ -z "$end" ]; do sleep 0.05; done
echo '{"epoch": 1}'
eval "$end"
"""
"""Ends as $DONE or $END_NODE says; $ON_USR1 and $ON_TERM are its handlers."""


def install(path: Path, logs: Path) -> Path:
    """Put them into `path`; they note in `logs` what they do."""
    (path / "sbtools").unlink()
    for name, text in (("srun", SRUN), ("scancel", SCANCEL), ("sbtools", SBTOOLS)):
        executable(path / name, f"LOGS={logs}\n{text}")
    return path
