#!/bin/sh
# The systemd units hold: systemd reads them without a complaint, the sandbox around the daemon is as tight as it was, and
# the sysusers line is one. Skipped where there is no systemd.
set -u
: "${DESKBRIDGE:?the built program}" "${TEST_SRCDIR:?the folder tests of the source tree}"
command -v systemd-analyze >/dev/null 2>&1 || {
	echo "check-units: no systemd-analyze here"
	exit 77
}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0
offence() {
	printf 'check-units: %s\n' "$*"
	failed=1
}

# verify wants to find the program where the unit says, which is nowhere before `make install`.
sed "s|^ExecStart=[^ ]*|ExecStart=$DESKBRIDGE|" systemd/deskbridge.service >"$work/deskbridge.service" || exit 99
cp systemd/deskbridge.socket "$work/" || exit 99
SYSTEMD_UNIT_PATH=$work: systemd-analyze verify --man=no "$work/deskbridge.service" "$work/deskbridge.socket" \
	>"$work/verify" 2>&1 || offence "systemd-analyze verify refuses the units"
# Other units of the machine are not ours to judge.
grep -E 'deskbridge' "$work/verify" && offence "systemd-analyze verify complains of the units"
grep -q '@[a-z]*@' "$work"/deskbridge.* && offence "a unit has a word that the build should have replaced"

# Exposure from 0 to 100 (10.0); what is left is named in the unit. A higher number means that a line was lost.
systemd-analyze security --offline=yes --threshold=20 --no-pager "$work/deskbridge.service" >"$work/security" 2>&1 || {
	grep -F '✗' "$work/security"
	offence "systemd-analyze security: $(tail -n 1 "$work/security")"
}

if command -v systemd-sysusers >/dev/null 2>&1; then
	mkdir -p "$work/root/etc"
	systemd-sysusers --root="$work/root" "$TEST_SRCDIR/../systemd/deskbridge.conf" >"$work/sysusers" 2>&1 ||
		offence "systemd-sysusers: $(cat "$work/sysusers")"
	grep -q '^deskbridge:.*:/var/lib/deskbridge:' "$work/root/etc/passwd" || offence "sysusers makes no user deskbridge"
fi
[ $failed = 0 ] && echo "check-units: the units hold"
exit $failed
