#!/usr/bin/env bash
# The repository's own virtual environment, made and refreshed when it has to be.
#
# Sourced by the other tools, it defines ROOT, VENV, `venv_ready` and `venv_exec`. Run as a program, it readies the environment
# and then becomes the given command of it:
#
#   tools/_venv.sh python -m flyteplane.launcher --help
#
# Packages are installed only when pyproject.toml or the build hook changed, stubs regenerated only when a proto changed, sources
# compiled only when they changed. Two tools started at once wait for each other. Nothing is printed unless standard error is a
# terminal or something failed.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"

# Prints a step to a person, nothing to a pipe.
venv_say() { if [ -t 2 ]; then printf '\033[2m%s\033[0m\n' "$*" >&2; fi; }

# Prints the interpreter to build the environment with: $FLYTEPLANE_PYTHON, or the first one on PATH that is recent enough.
venv_find_python() {
    local candidate
    for candidate in ${FLYTEPLANE_PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed. On Debian 12: sudo apt-get install python3.11 python3.11-venv" >&2
    return 1
}

venv_create() {
    local python version
    python="$(venv_find_python)" || return 1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        echo "Python $version cannot make virtual environments. On Debian 12: sudo apt-get install python$version-venv" >&2
        return 1
    fi
    venv_say "making .venv with $python"
    "$python" -m venv --clear "$VENV"
}

# A fingerprint of the files given as arguments and of where the repository is: an editable install points at its folder.
venv_fingerprint() { { echo "$ROOT"; cat "$@"; } | cksum; }

# Runs a command whose output matters only when a person watches or when it fails.
venv_run() {
    local output
    if [ -t 2 ]; then "$@" >&2; return; fi
    if ! output="$("$@" 2>&1)"; then printf '%s\n' "$output" >&2; return 1; fi
}

venv_refresh() {
    local packages stubs protos
    "$VENV/bin/python" -c 'import pip' 2>/dev/null || venv_create || return 1

    packages="$(venv_fingerprint "$ROOT"/pyproject.toml "$ROOT"/tools/hatch_build.py)"
    if [ "$packages" != "$(cat "$VENV/.installed" 2>/dev/null)" ]; then
        venv_say "installing the project and its tools"
        venv_run "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input \
            --editable "$ROOT[dev,demo]" || return 1
        printf '%s\n' "$packages" >"$VENV/.installed"
        rm -f "$VENV/.generated"
    fi

    mapfile -t protos < <(find "$ROOT/protos" -name '*.proto' | sort)
    stubs="$(venv_fingerprint "$ROOT"/tools/gen_protos.py "${protos[@]}")"
    if [ "$stubs" != "$(cat "$VENV/.generated" 2>/dev/null)" ] || [ ! -d "$ROOT/protos/_generated/flyteapi" ]; then
        venv_say "generating stubs from protos"
        venv_run "$VENV/bin/python" "$ROOT/tools/gen_protos.py" || return 1
        printf '%s\n' "$stubs" >"$VENV/.generated"
    fi
    venv_compile
}

# Keeps the compiled form of the sources, of whatever changed since. An editable install brings none, and where
# PYTHONDONTWRITEBYTECODE is set, as it is in many containers, no process keeps what it compiled: each platform, worker
# and command that a test starts would compile all that it loads, which is a third of its time.
venv_compile() {
    # What cannot be compiled is told by whoever needs it.
    "$VENV/bin/python" -m compileall -qq "$ROOT"/{sdk,services,protos/_generated,tools,tests/support} || true
}

# Makes the environment ready; returns non-zero, with the reason on standard error, if it cannot.
venv_ready() {
    mkdir -p "$VENV" || return 1
    if command -v flock >/dev/null; then
        (flock 9 && venv_refresh) 9>"$VENV/.lock"
    else
        venv_refresh
    fi
}

# Becomes a program of the environment: `venv_exec python script.py argument…`.
venv_exec() {
    local program="$1"
    shift
    export VIRTUAL_ENV="$VENV" PATH="$VENV/bin:$PATH"
    exec "$VENV/bin/$program" "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    set -euo pipefail
    case "${1:---help}" in
        -h | --help)
            echo "Usage: tools/_venv.sh PROGRAM [ARGUMENT]..."
            echo "Makes .venv ready (installs when pyproject.toml changed, regenerates stubs when a proto changed), then runs"
            echo "PROGRAM of it. FLYTEPLANE_PYTHON names the interpreter to build it with."
            exit 0
            ;;
    esac
    venv_ready
    venv_exec "$@"
fi
