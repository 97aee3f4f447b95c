# Sourced by scripts/bench after uv.sh: a virtual environment, .venv/peers-NAME, for each live server that
# `scripts/bench wires` compares with. tests/bench/peers/NAME.txt has its packages, NAME.leave-out.txt those that it
# asks for and does not need here.
TORCH="torch==2.13.0"

# On Linux, torch of the package index wants gigabytes of CUDA. A build without it, among the wheels that pip is told
# of, comes first.
: "${UV_FIND_LINKS:=${PIP_FIND_LINKS:-$(pip_setting find-links)}}"
if [ -n "$UV_FIND_LINKS" ]; then export UV_FIND_LINKS; else unset UV_FIND_LINKS; fi

make_peer() {
    local venv=".venv/peers-$1" list="tests/bench/peers/$1"
    [ ! -e "$venv/complete" ] || return 0
    echo "Installing $1 into $venv"
    local install=("$UV" pip install --quiet --no-config --python "$venv")
    "$UV" venv --quiet --no-config --clear --no-python-downloads --python "$PYTHON" "$venv" &&
        "${install[@]}" --no-deps "$TORCH" &&
        "${install[@]}" --requirement "$list.txt" --excludes "$list.leave-out.txt" &&
        { "$venv/bin/python" -c 'import torch' 2>/dev/null || "${install[@]}" "$TORCH"; } &&
        "$venv/bin/python" -c 'import torch' && touch "$venv/complete"
}

for peer in whisperlivekit whisper-live; do
    make_peer "$peer" || echo "$peer could not be installed, and is left out" >&2
done
