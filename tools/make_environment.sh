#!/usr/bin/env bash
# Make or renew a virtual environment from pinned, hashed requirements, with shopsight itself in it, editable.
#
# usage: tools/make_environment.sh FOLDER REQUIREMENTS
#
# Needs Python 3.11 or later (PYTHON names another one than python3). The folder ends with a file `stamp`, so
# that make knows when it is older than its pins.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$1
requirements=$2
python=${PYTHON:-python3}

say() { printf '%s\n' "$@" >&2; }
die() { say "$@"; exit 1; }

# Two makes at once: the second waits, and then finds the work done.
exec 9<"$requirements"
if command -v flock >/dev/null; then flock 9; fi
if [ "$folder/stamp" -nt "$requirements" ] && [ "$folder/stamp" -nt requirements/bootstrap.txt ] &&
   [ "$folder/stamp" -nt "$0" ] && [ "$folder/stamp" -nt pyproject.toml ]; then
    exit 0
fi

command -v "$python" >/dev/null || die "There is no $python. Install Python 3.11 or later, or name one: make PYTHON=/path/to/python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is $("$python" -V 2>&1); shopsight needs Python 3.11 or later: make PYTHON=/path/to/python"

# What a shell or a pip.conf may carry must not lead the installation elsewhere; indexes and certificates stay.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT VIRTUAL_ENV CONDA_PREFIX
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

make_venv() {
    local log missing
    missing="$python cannot make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv"
    log=$("$python" -m venv "$folder" 2>&1) && return
    rm -rf "$folder"
    # Debian packages venv's other half, ensurepip, apart as python3-venv.
    if command -v uv >/dev/null; then
        uv venv --quiet --seed --python "$python" "$folder" || die "$missing"
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "python3-venv is missing: installing it"
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >/dev/null || true
        "$python" -m venv "$folder" || die "$missing"
    else
        die "$log" "" "$missing"
    fi
}

# With this machine's pip configuration, for it may name the only index there is; if that leads nowhere, or
# somewhere else (`target`, `prefix`), without it.
pip_install() {
    "$folder/bin/python" -m pip install --quiet "$@" && [ -x "$folder/bin/uv" ] && return
    say "That failed with this machine's pip configuration; once more without it"
    PIP_CONFIG_FILE=/dev/null "$folder/bin/python" -m pip install --quiet --isolated --disable-pip-version-check "$@"
}

if [ ! -x "$folder/bin/python" ] || ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    say "Making $folder"
    rm -rf "$folder"
    make_venv
fi
rm -f "$folder/stamp"

say "Installing $requirements into $folder"
pip_install --require-hashes -r requirements/bootstrap.txt
if ! "$folder/bin/uv" pip sync --quiet --python "$folder/bin/python" --require-hashes "$requirements"; then
    # pip knows of mirrors, proxies and certificates that uv has not been told of.
    say "uv could not install them; once more with pip, which takes a few minutes"
    pip_install --require-hashes -r "$requirements"
fi
# Offline: what the build needs is among the pins.
"$folder/bin/uv" pip install --quiet --python "$folder/bin/python" --offline --no-deps --no-build-isolation --editable .
touch "$folder/stamp"
