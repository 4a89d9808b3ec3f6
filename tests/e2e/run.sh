#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the black-box tests as one test of `make check`: pytest against the program in $DESKBRIDGE. Arguments are passed
# to pytest.
set -u
: "${DESKBRIDGE:?the built program}" "${TEST_SRCDIR:?the folder tests of the source tree}"
python=${PYTHON3:-/usr/bin/python3}
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
"$python" -c 'import pytest' 2>/dev/null || {
	echo "no pytest for $python: apt-get install python3-pytest"
	exit 77
}
parallel=
if "$python" -c 'import xdist' 2>/dev/null; then
	parallel="-n ${DESKBRIDGE_TEST_JOBS:-4}"
fi
# shellcheck disable=SC2086 # two words or none
exec "$python" -m pytest -q -rfEs -p no:cacheprovider $parallel "$TEST_SRCDIR/e2e" "$@"
