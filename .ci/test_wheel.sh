#!/bin/sh
# test_wheel.sh SDIST PYTHON...: builds a wheel from the sdist by each Python, once without a C
# compiler, installs it in a clean environment, pushes a picture and finds it again, with no settings
# and no account. Names each Python that is not there; fails if none is.
set -eu
sdist=$(realpath "$1")
shift
tested=0
for python in "$@"; do
    if ! "$python" -c '' 2>/dev/null; then
        echo "$python: not there, skipped"
        continue
    fi
    folder=$(mktemp -d)
    "$python" -m venv "$folder/venv"
    pip="$folder/venv/bin/python -m pip --quiet --disable-pip-version-check"
    if [ "$tested" = 0 ]; then
        CC=false $pip wheel --no-deps --wheel-dir "$folder/without" "$sdist"
    fi
    $pip wheel --no-deps --wheel-dir "$folder" "$sdist"
    $pip install "$folder"/*.whl
    BULKUP_HOME="$folder/home"
    export BULKUP_HOME
    mkdir "$folder/photos"
    "$folder/venv/bin/python" - "$folder/photos/red.jpg" <<'PICTURE'
import sys
from PIL import Image
Image.new("RGB", (320, 240), "red").save(sys.argv[1])
PICTURE
    "$folder/venv/bin/bulkup" --version
    "$folder/venv/bin/bulkup" push "$folder/photos" --to "$folder/there"
    "$folder/venv/bin/bulkup" search red wall --limit 1 | grep red.jpg
    "$folder/venv/bin/python" -c "import bulkup; assert bulkup.status().searchable == 1"
    test -f "$folder/venv/share/man/man1/bulkup.1"
    rm -rf "$folder"
    tested=$((tested + 1))
    echo "$("$python" --version): passed"
done
[ "$tested" -gt 0 ]
