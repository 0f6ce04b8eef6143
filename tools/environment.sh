#!/bin/sh
# Make the environment .venv of this folder, or mend it: sh tools/environment.sh [local|dev]
#
#   local   what the command `sitejobs` needs
#   dev     that, and what tests and checks need
#
# Needs a Python and nothing else. It ends at once when pyproject.toml and constraints.txt are as they were; an
# environment whose making was interrupted, that was moved, or whose Python has gone is made anew.
# PYTHON names the Python to use; ENVIRONMENT another folder than .venv.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-dev}
folder=${ENVIRONMENT:-.venv}

# What the environment is made from, and where: programs in it name their folder.
wanted="$(pwd -P) $(cat pyproject.toml constraints.txt | cksum)"

works() {
    "$folder/bin/python" -c '' 2>/dev/null
}

# Compiles the part of match-scores in C unless that was done; without a compiler numpy does the same, more slowly.
compile() {
    sieve=layers/sitejobs/sitejobs/matching/topk
    [ $sieve/sieve.library -nt $sieve/sieve.c ] && return
    compiler=$(command -v "${CC:-cc}") || return 0
    options=
    [ "$(uname -m)" = x86_64 ] && options=-march=x86-64-v3
    "$folder/bin/python" layers/sitejobs/compile.py $sieve/sieve.library "$compiler" $options ||
        echo "sieve.c could not be compiled: match-scores does without, and takes longer" >&2
}

if [ "$(cat "$folder/made-for-$kind" 2>/dev/null)" = "$wanted" ] && works; then
    compile
    exit 0
fi

# Prints the interpreter behind a candidate: it may be that of the very environment that is about to be replaced.
probe='
import sys
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit("is %d.%d" % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError:
    sys.exit("lacks venv")
print(getattr(sys, "_base_executable", None) or sys.executable)
'
python=
without_venv=
others=
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3.13 python3.12 python3.11 python3 python3.14
fi
for name; do
    command -v "$name" >/dev/null 2>&1 || continue
    if answer=$("$name" -c "$probe" 2>&1); then
        python=$answer
        break
    fi
    case $answer in
        *"lacks venv") without_venv="${without_venv:-$name}" ;;
        "is "*) others="$others; $name $answer" ;;
    esac
done

if [ -z "$python" ] && [ -n "$without_venv" ]; then
    number=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    cat >&2 <<END
$without_venv has no venv and ensurepip, which make the environment. On Debian and Ubuntu:
    sudo apt install python$number-venv
END
    exit 1
fi
if [ -z "$python" ]; then
    cat >&2 <<END
sitejobs needs Python 3.11, 3.12 or 3.13 and found none${others}
    Debian, Ubuntu   sudo apt install python3 python3-venv
    Fedora           sudo dnf install python3.13
    macOS            brew install python@3.13
A Python that is not on PATH: make demo PYTHON=/path/to/python3.13
END
    exit 1
fi

said=no
# Without a stamp the last making was interrupted: pip may take half a package for a whole one.
if ! works || [ "$(cat "$folder"/made-for-* 2>/dev/null | sed 's/ [0-9]* [0-9]*$//' | sort -u)" != "$(pwd -P)" ]; then
    echo "making the environment $folder with $("$python" --version), once: a minute or two" >&2
    said=yes
    "$python" -m venv --clear "$folder"
fi
rm -f "$folder"/made-for-*
[ $said = yes ] || echo "updating the environment $folder" >&2

extras=local
[ "$kind" = dev ] && extras=local,dev

# Prints what pip gets, a package a line, since it takes a minute or two.
steps() {
    number=0
    while read -r word rest; do
        case $word in
            Collecting)
                number=$((number + 1))
                echo "  package $number: ${rest%% *}" >&2
                ;;
            Installing) [ "${rest%%:*}" = "collected packages" ] && echo "  installing $number packages" >&2 ;;
        esac
    done
    return 0
}

# Uncompiled: most modules of these packages are never imported, and those that are get compiled then.
install() {
    PYTHONUNBUFFERED=1 "$folder/bin/python" -m pip --disable-pip-version-check install --no-color --progress-bar off \
        --no-compile --constraint constraints.txt "$@"
}

# First pip itself, if it can be had: the one that Python brings takes twice as long to look through the index.
failed="$folder/failed"
rm -f "$failed"
{
    install --quiet pip || :
    install --editable ".[$extras]" || : >"$failed"
} | steps
if [ -e "$failed" ]; then
    rm -f "$failed"
    echo "the packages could not be installed: pip says above why (they come from PyPI, so it must be reached)" >&2
    exit 1
fi
[ "$kind" = dev ] && echo "$wanted" >"$folder/made-for-dev"
echo "$wanted" >"$folder/made-for-local"
compile
