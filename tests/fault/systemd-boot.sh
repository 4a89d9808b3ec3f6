#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests the installed package under a real systemd. Boots a Debian in a container, and there starts, reloads, kills,
# upgrades, stops, removes, reinstalls and purges the service, with the sandbox for Klaviyo and for the helpdesk. Only
# this script tests the effect of the unit files and the package's scripts.
#
#   dpkg-buildpackage -b -us -uc
#   tests/fault/systemd-boot.sh ../deskbridge_0.1.0_amd64.deb [ROOT]
#
# The package must have been built for the release that is booted: DEBIAN_RELEASE (bookworm, trixie), or this machine's.
# The script needs root, debootstrap, systemd-nspawn (package systemd-container), two minutes, and a Debian mirror
# (DEBIAN_MIRROR, or debootstrap's own) for the bare system. So it is not in `make check`; scripts/test-release runs it.
# ROOT is a folder that keeps the bare system for the next run; without it the system is created for this run and
# removed. FORMER in the environment is an earlier package, from which the upgrade is tested; without it one is made
# from PACKAGE, with the program in sbin as in former versions. Prints a line for each check (TAP); ends with 0 where
# all pass.
set -eu

# ---- outside: the container ------------------------------------------------------------------------------------------

# make_former PACKAGE FOLDER: makes FOLDER.deb, which has the program in /usr/sbin, where the unit starts it, and no
# sandbox program.
make_former() {
	dpkg-deb -R "$1" "$2"
	rm "$2/usr/bin/deskbridge-sandbox"
	mv "$2/usr/bin/deskbridge" "$2/usr/sbin/deskbridge"
	find "$2" -name deskbridge.service -exec sed -i 's,/usr/bin/deskbridge,/usr/sbin/deskbridge,' {} +
	sed -i 's/^Version: .*/Version: 0.0.9/' "$2/DEBIAN/control"
	rm -f "$2/DEBIAN/md5sums"
	dpkg-deb -b "$2" "$2.deb" >/dev/null
}

outside() {
	case ${1:-} in
	'' | -*)
		sed -n '3,17s/^# \{0,1\}//p' "$0" >&2
		exit 2
		;;
	esac
	package=$1
	[ "$(id -u)" = 0 ] || { echo "systemd-boot: only root can boot a container" >&2 && exit 2; }
	. "$(dirname "$0")/../../scripts/roots"
	work=$(mktemp -d)
	container=
	# shellcheck disable=SC2064 # work is known now
	trap "[ -z \"\$container\" ] || kill \"\$container\" 2>/dev/null; remove_root '$work'" EXIT
	bare=${2:-$work/bare}
	release=${DEBIAN_RELEASE:-$(. /etc/os-release && printf %s "$VERSION_CODENAME")}
	if [ ! -x "$bare/bin/systemctl" ]; then
		needs=$(dpkg-deb -f "$package" Depends | tr ',' '\n' | sed 's/^ *//; s/[ (|].*//' | tr '\n' ',')
		debootstrap --variant=minbase --include="${needs}systemd-sysv,dbus,curl" "$release" "$bare" \
			${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/debootstrap.log" 2>&1 ||
			{ tail -n 20 "$work/debootstrap.log" >&2 && exit 1; }
	fi
	root=$work/root
	copy_root "$bare" "$root" || exit 1
	cp "$package" "$root/root/deskbridge.deb"
	[ -n "${FORMER:-}" ] || make_former "$package" "$work/former"
	cp "${FORMER:-$work/former.deb}" "$root/root/former.deb"
	cp "$0" "$root/root/inside"
	chroot "$root" dpkg -i /root/deskbridge.deb >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2 && exit 1; }
	cat >"$root/etc/systemd/system/inside.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=600
ExecStart=/bin/sh /root/inside --inside
ExecStopPost=/bin/systemctl poweroff --no-block
StandardOutput=append:/root/result
StandardError=append:/root/trouble
UNIT
	ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"
	systemd-nspawn -q -D "$root" -b --register=no --keep-unit --private-network --resolv-conf=off --link-journal=no \
		</dev/null >"$work/console" 2>&1 &
	container=$!
	wait $container || true
	container=
	cat "$root/root/result"
	if ! grep -q '^1\.\.' "$root/root/result" || grep -q '^not ok' "$root/root/result"; then
		tail -n 100 "$root/root/trouble" "$root/root/journal" >&2 || tail -n 40 "$work/console" >&2
		exit 1
	fi
}

# ---- inside: the checks ----------------------------------------------------------------------------------------------

n=0
# check TEXT COMMAND…: runs COMMAND and prints one line of the result.
check() {
	text=$1
	shift
	n=$((n + 1))
	if "$@" >/root/said 2>&1; then
		printf 'ok %d - %s\n' $n "$text"
	else
		printf 'not ok %d - %s\n' $n "$text"
		tail -n 3 /root/said | sed 's/^/# /'
	fi
}

# soon COMMAND…: true as soon as the command is, false after 30 s.
soon() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

is() { [ "$1" = "$2" ] || { printf 'expected "%s", is "%s"\n' "$2" "$1" && false; }; }
of_unit() { systemctl show -p "$1" --value deskbridge.service; }
unit_is() { is "$(of_unit "$1")" "$2"; }
unit_is_soon() { soon unit_is "$1" "$2"; }
since() { journalctl -q -u deskbridge -o cat --after-cursor="$cursor"; }
told() { since | grep -q "$1"; }
told_soon() { soon told "$1"; }
mark() { cursor=$(journalctl -q -n 1 --show-cursor | sed -n 's/^-- cursor: //p'); }
# status_of SOURCE PASSWORD: prints the HTTP status for a webhook that is ignored.
status_of() {
	curl -s -o /dev/null -w '%{http_code}' -u "deskbridge:$2" -H 'Content-Type: application/json' \
		-d '{"type":"SOMETHING/ELSE"}' "http://127.0.0.1:8085/webhooks/$1" || true
}
status_is() { is "$(status_of "$1" "$2")" "$3"; }
status_is_soon() { soon status_is "$1" "$2" "$3"; }
# delivered CONVERSATION: prints the number of its events in the sandbox.
delivered() { curl -s http://127.0.0.1:9090/sandbox/events | grep -o "\"Conversation ID\": *\"$1\"" | wc -l; }
delivered_is() { is "$(delivered "$1")" "$2"; }
delivered_soon() { soon delivered_is "$1" "$2"; }
# post CONVERSATION: posts an opening for the customer with one address; true where it was accepted.
post() { deskbridge sample gladly opened --conversation "$1" --customer cust-1 --post 2>/dev/null | grep -q accepted; }

secret() {
	printf %s "$2" >"/etc/deskbridge/credentials/$1.new"
	chown root:deskbridge "/etc/deskbridge/credentials/$1.new"
	chmod 0640 "/etc/deskbridge/credentials/$1.new"
	mv "/etc/deskbridge/credentials/$1.new" "/etc/deskbridge/credentials/$1"
}

# configure [LINE…]: writes the configuration with these additional lines.
configure() {
	{
		cat <<'YAML'
version: 1
klaviyo:
  url: http://127.0.0.1:9090
  api_key: {credential: klaviyo-api-key}
  person_gap: 0s
sources:
  gladly:
    preset: gladly
    authenticate: {user: deskbridge, password: {credential: gladly-webhook}}
    lookup: {base_url: "http://127.0.0.1:9090", user: bot@example.com, password: {credential: gladly-api-token}}
YAML
		[ $# = 0 ] || printf '%s\n' "$@"
	} >/etc/deskbridge/deskbridge.yaml
}

# configured PASSWORD: writes the configuration and its secrets where there are none. PASSWORD is the webhooks'
# password.
configured() {
	mkdir -p /etc/deskbridge/credentials
	configure
	secret klaviyo-api-key pk_sandbox_boot
	secret gladly-webhook "$1"
	secret gladly-api-token a-gladly-token
	chown -R root:deskbridge /etc/deskbridge
	chmod 0750 /etc/deskbridge /etc/deskbridge/credentials
	chmod 0640 /etc/deskbridge/deskbridge.yaml
}

installed() {
	check 'the package made the user' getent passwd deskbridge
	check 'the unit is enabled' systemctl -q is-enabled deskbridge.service
	check 'the socket is not' is "$(systemctl is-enabled deskbridge.socket)" disabled
	check 'without a configuration it does not start, which is no failure' unit_is ConditionResult no
	check 'and nothing has failed' is "$(systemctl --failed --plain --no-legend)" ''
	check 'a user without sbin in PATH finds the program' is "$(setpriv --reuid nobody --regid nogroup --clear-groups \
		env PATH=/usr/local/bin:/usr/bin:/bin sh -c 'command -v deskbridge')" /usr/bin/deskbridge
	check 'the sandbox stands beside it' test -x /usr/bin/deskbridge-sandbox
	check 'its former place is a link to it' is "$(readlink -f /usr/sbin/deskbridge)" /usr/bin/deskbridge
	check 'the unit starts it at its place' sh -c 'systemctl show -p ExecStart deskbridge | grep -q "path=/usr/bin/deskbridge "'
	check 'SECURITY.md is installed' test -f /usr/share/doc/deskbridge/SECURITY.md

	configured open-sesame
	systemd-run -q --unit=sandbox deskbridge sandbox --listen 127.0.0.1:9090 --customer cust-1=jo@example.com
	soon curl -fs -o /dev/null http://127.0.0.1:9090/sandbox/events
}

runs() {
	check 'it starts and says READY' systemctl start deskbridge
	check 'its status says where it listens' sh -c 'systemctl show -p StatusText deskbridge | grep -q 127.0.0.1:8085'
	check 'a webhook is accepted' post one
	check 'and delivered' delivered_soon one 1
	pid=$(of_unit MainPID)
	check 'it runs as its user' is "$(stat -c %U "/proc/$pid")" deskbridge
	check 'it may gain nothing, and has a filter of system calls' \
		is "$(grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$pid/status" | tr -s '\t \n' ' ')" \
		'CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 '
	check 'its state is its own, and its group may enter' is "$(stat -c '%a %U %G' /var/lib/deskbridge)" '750 deskbridge deskbridge'
	check 'the files in it are its own' is "$(find /var/lib/deskbridge -type f -perm /077 ! -name admin-token)" ''
	check 'but the admin token, which its group may read' \
		is "$(stat -c '%a %U %G' /var/lib/deskbridge/admin-token)" '640 deskbridge deskbridge'
	check 'root may ask' deskbridge status
	check 'so may a member of the group' setpriv --reuid nobody --regid nogroup --groups deskbridge deskbridge status
	check 'another account may not' is "$(setpriv --reuid nobody --regid nogroup --clear-groups deskbridge status \
		>/root/asked 2>/root/refused || echo $?; cat /root/asked)" 1
	check 'and is told what to do' \
		grep -q 'sudo deskbridge status, or be in the group deskbridge: sudo usermod -aG deskbridge nobody, then log in again$' /root/refused
	check 'nor by hand' is "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8086/api/status)" 401
	check 'the metrics are open' curl -fs -o /dev/null http://127.0.0.1:8086/metrics
	token=$(cat /var/lib/deskbridge/admin-token)
	mark
	post two
	check 'a dead letter is told' sh -c 'deskbridge sample gladly opened --conversation two-b --customer nobody --post'
	check 'in fields of the journal' soon \
		sh -c 'journalctl -q -u deskbridge -o json DESKBRIDGE_SOURCE=gladly | grep -q "\"DESKBRIDGE_WEBHOOK\""'
	mark
	check 'a wrong password is refused' status_is gladly not-the-password 401
	check 'and journalctl shows for which source and why' \
		told_soon '^a webhook from 127.0.0.1 was refused source=gladly reason="wrong proof"$'
	check 'with the same in fields' soon \
		sh -c 'journalctl -q -u deskbridge DESKBRIDGE_SOURCE=gladly "DESKBRIDGE_REASON=wrong proof" | grep -q refused'
}

reloads() {
	mark
	configure '  second:' '    preset: gladly' '    authenticate: {user: deskbridge, password: {credential: gladly-webhook}}' \
		'    lookup: {base_url: "http://127.0.0.1:9090", user: b@example.com, password: {credential: gladly-api-token}}'
	check 'before the reload there is no second source' status_is second open-sesame 404
	check 'a good configuration is taken by reload' systemctl reload deskbridge
	check 'and there it is' status_is_soon second open-sesame 200
	configure '  second:' '    presett: gladly'
	check 'a wrong one fails the reload' is "$(systemctl reload deskbridge 2>/dev/null && echo taken)" ''
	check 'with the reason in the journal' told_soon presett
	check 'and the former one goes on' status_is second open-sesame 200
	configure
	systemctl reload deskbridge || true
	check 'a source that was taken out is gone' status_is_soon second open-sesame 404
	check 'all by the same process' is "$(of_unit MainPID)" "$pid"
	check 'deskbridge reload does the same by hand' deskbridge reload
	mark
	secret gladly-webhook another-one
	check 'a changed secret is seen' told_soon 'a secret changed: credential gladly-webhook'
	check 'the old one is refused' status_is gladly open-sesame 401
	check 'the new one is taken' status_is gladly another-one 200
}

# refused FILE: checks that the reload fails, and that check by root prints the command that repairs it.
refused() {
	check "$1: the reload fails where the daemon may not read it" is "$(systemctl reload deskbridge 2>/dev/null && echo taken)" ''
	check "$1: the journal says why" told_soon "$1.*Permission denied.*chgrp deskbridge"
	check "$1: the former configuration goes on" status_is gladly another-one 200
	check "$1: check by root fails too" is "$(deskbridge check >/dev/null 2>/root/checked || echo $?)" 78
	check "$1: and says for whom" grep -q 'read as the user deskbridge, whom deskbridge.service' /root/checked
	mends=$(sed -n 's/.*: \(chgrp deskbridge [^ ]* && chmod [0-9]* [^ ]*\)$/\1/p' /root/checked | head -n 1)
	check "$1: the command that it prints" sh -ec "$mends"
	check "$1: mends the reload" systemctl reload deskbridge
	check "$1: and check" deskbridge check
}

# closed: checks files that only root can read.
closed() {
	for file in /etc/deskbridge/credentials/gladly-webhook /etc/deskbridge/deskbridge.yaml; do
		mark
		chown root:root $file
		chmod 0600 $file
		refused $file
	done
	mark
	chown root:root /etc/deskbridge/credentials
	chmod 0700 /etc/deskbridge/credentials
	refused /etc/deskbridge/credentials
	mkdir -p /etc/deskbridge/helpdesks
	cp /usr/share/deskbridge/helpdesks/gladly.yaml /etc/deskbridge/helpdesks/
	chown root:root /etc/deskbridge/helpdesks/gladly.yaml
	chmod 0600 /etc/deskbridge/helpdesks/gladly.yaml
	mark
	refused /etc/deskbridge/helpdesks/gladly.yaml
	rm -r /etc/deskbridge/helpdesks

	mkdir -p /etc/deskbridge/vault
	chgrp deskbridge /etc/deskbridge/vault
	chmod 0750 /etc/deskbridge/vault
	mv /etc/deskbridge/credentials/gladly-webhook /etc/deskbridge/vault/
	ln -s ../vault/gladly-webhook /etc/deskbridge/credentials/gladly-webhook
	check 'a secret may be a link' systemctl reload deskbridge
	mark
	printf behind-a-link >/etc/deskbridge/vault/gladly-webhook
	check 'and what it leads to is watched' told_soon 'a secret changed: credential gladly-webhook'
	check 'and taken' status_is gladly behind-a-link 200
	rm -r /etc/deskbridge/vault
	secret gladly-webhook another-one
	check 'as is what comes in its place' status_is_soon gladly another-one 200
}

dies() {
	restarts=$(of_unit NRestarts)
	: >/root/accepted
	i=0
	while [ $i -lt 40 ]; do
		i=$((i + 1))
		[ $((i % 12)) != 6 ] || kill -9 "$(of_unit MainPID)"
		soon post "kill-$i" && echo "kill-$i" >>/root/accepted
	done
	check 'kill -9 is followed by a restart, thrice' unit_is_soon NRestarts $((restarts + 3))
	check 'all webhooks were accepted in the end' is "$(wc -l </root/accepted)" 40
	soon delivered_is kill-40 1
	while read -r conversation; do
		delivered_soon "$conversation" 1 >/dev/null || echo "$conversation: $(delivered "$conversation")"
	done </root/accepted >/root/wrong
	check 'each was delivered once' is "$(cat /root/wrong)" ''
}

# watched: tests the watchdog with two seconds instead of a minute.
watched() {
	mkdir -p /run/systemd/system/deskbridge.service.d
	printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=3s\n' >/run/systemd/system/deskbridge.service.d/watchdog.conf
	systemctl daemon-reload
	systemctl restart deskbridge
	pid=$(of_unit MainPID)
	sleep 7 # three times what systemd waits for
	check 'the watchdog is fed' is "$(of_unit MainPID) $(of_unit ActiveState)" "$pid active"
	restarts=$(of_unit NRestarts)
	mark
	kill -STOP "$pid"
	check 'one that hangs is restarted' unit_is_soon NRestarts $((restarts + 1))
	check 'and works' soon post after-the-watchdog
	rm /run/systemd/system/deskbridge.service.d/watchdog.conf
	systemctl daemon-reload
}

misconfigured() {
	configure '  second:' '    presett: gladly'
	systemctl restart deskbridge 2>/dev/null || true
	unit_is_soon ActiveState failed >/dev/null
	check 'a wrong configuration ends the start with 78' unit_is ExecMainStatus 78
	sleep 3 # three times RestartSec
	check 'and is not tried again' is "$(of_unit ActiveState) $(of_unit NRestarts)" 'failed 0'
	configure
	check 'mended, it starts' systemctl restart deskbridge
}

# hammer FILE: posts webhooks one after the other until the file /root/hammering is gone, and writes each answer to
# FILE.
hammer() {
	touch /root/hammering
	while [ -e /root/hammering ]; do
		curl -s -o /dev/null -w '%{http_code} %{exitcode}\n' -u deskbridge:another-one -H 'Content-Type: application/json' \
			-d '{"type":"SOMETHING/ELSE"}' http://127.0.0.1:8085/webhooks/gladly || true
	done >"$1"
}

# put NAME: installs /root/NAME.deb, with the output of dpkg and the package's scripts in /root/put.
put() { dpkg -i "/root/$1.deb" >/root/put 2>&1 </dev/null; }
# take: removes the package.
take() { dpkg -r deskbridge >/root/taken 2>&1 </dev/null; }
# both_run: true where the socket listens and is enabled, and the service runs.
both_run() {
	is "$(systemctl is-active deskbridge.socket) $(systemctl is-enabled deskbridge.socket) $(systemctl is-active deskbridge.service)" \
		'active enabled active'
}

# through TEXT COMMAND…: checks that no webhook that is posted while COMMAND runs is refused.
through() {
	text=$1
	shift
	hammer /root/answers &
	hammering=$!
	soon test -s /root/answers
	check "$text" "$@"
	before=$(wc -l </root/answers)
	soon sh -c "[ \$(wc -l </root/answers) -gt $((before + 5)) ]"
	rm /root/hammering
	wait $hammering
	check 'no webhook is refused meanwhile' is "$(sort /root/answers | uniq -c | grep -v ' 200 0$')" ''
}

activated() {
	systemctl stop deskbridge
	check 'stopped, it ended well' is "$(of_unit Result) $(of_unit ExecMainStatus) $(of_unit ActiveState)" 'success 0 inactive'
	check 'systemd takes over the listening socket' systemctl enable -q --now deskbridge.socket
	check 'a webhook starts the daemon' post activated
	check 'and is delivered' delivered_soon activated 1
	through 'it restarts twice' sh -c 'systemctl restart deskbridge && systemctl restart deskbridge'
	mark
	put deskbridge
	check 'an upgrade restarts it' told_soon stopped
	check 'and leaves the socket' both_run
	check 'and it works' post upgraded
	misconfigured_behind_the_socket
}

# tried_again: true where the daemon has logged the mistake three times since mark.
tried_again() { [ "$(since | grep -c 'presett: unknown key')" -ge 3 ]; }

# misconfigured_behind_the_socket: checks that a mistake in the configuration, while webhooks come in, does not stop the
# socket.
misconfigured_behind_the_socket() {
	mark
	configure '  second:' '    presett: gladly'
	systemctl restart deskbridge 2>/dev/null || true
	curl -s -m 1 -o /dev/null -d '{}' http://127.0.0.1:8085/webhooks/gladly || true
	check 'with a wrong configuration webhooks start it again' soon tried_again
	check 'every three seconds, no more' is "$(journalctl -q -u deskbridge.service -o short-unix --after-cursor="$cursor" |
		awk '/presett: unknown key/ { if (n++ && $1 - last < 2.5) print $1 - last; last = $1 }')" ''
	check 'and the socket listens on' systemctl -q is-active deskbridge.socket
	configure
	check 'once it is mended, it can be started' systemctl restart deskbridge
	check 'behind the socket' both_run
	check 'and takes webhooks' post mended
	mv /etc/deskbridge/deskbridge.yaml /etc/deskbridge/away
	systemctl stop deskbridge.socket deskbridge.service
	systemctl start deskbridge.socket
	check 'without a configuration the socket waits for one, too' \
		is "$(systemctl is-active deskbridge.socket) $(systemctl --failed --plain --no-legend)" 'inactive '
	mv /etc/deskbridge/away /etc/deskbridge/deskbridge.yaml
	systemctl start deskbridge.socket deskbridge.service
	check 'and starts with it' both_run
}

# reinstalled: removes and installs the package again while systemd holds the socket.
reinstalled() {
	through 'apt-get install --reinstall goes well' apt-get install -y --reinstall /root/deskbridge.deb </dev/null
	check 'and leaves socket and service as they were' both_run
	check 'the package can be removed with the socket enabled' take
	check 'then neither runs' is "$(systemctl is-active deskbridge.socket deskbridge.service | sort -u)" inactive
	check 'and nothing listens' is "$(status_of gladly another-one)" 000
	mark
	check 'it can be installed again' put deskbridge
	check 'then the enabled socket listens and the service runs' both_run
	check 'without trouble' is "$(grep -iE 'fail|error|refus' /root/put; journalctl -q -b -u deskbridge.socket -p warning -o cat --after-cursor="$cursor")" ''
	check 'and takes webhooks' post reinstalled
	through 'a restart goes well' systemctl restart deskbridge

	systemctl disable -q --now deskbridge.service
	take
	put deskbridge
	check 'a service that was disabled stays so' \
		is "$(systemctl is-enabled deskbridge.service) $(systemctl is-active deskbridge.service deskbridge.socket | tr '\n' ' ')" \
		'disabled inactive active '
	check 'and the socket starts it' post by-the-socket
	systemctl enable -q deskbridge.service

	systemctl stop deskbridge.socket deskbridge.service
	systemctl start deskbridge.service
	put deskbridge
	check 'an upgrade tells how to hand the address to an enabled socket that is down' \
		grep -q 'systemctl stop deskbridge.service && systemctl start deskbridge.socket deskbridge.service' /root/put
	check 'and the service runs' post without-the-socket
	check 'the command that it tells' sh -ec "$(sed -n 's/^  \(systemctl .*\)/\1/p' /root/put)"
	check 'hands it over' both_run
	systemctl disable -q --now deskbridge.socket
	systemctl restart deskbridge
}

# by_credentials: tests secrets that only root can read, which systemd passes.
by_credentials() {
	mkdir -p /etc/systemd/system/deskbridge.service.d
	{
		echo '[Service]'
		for name in klaviyo-api-key gladly-webhook gladly-api-token; do
			printf 'LoadCredential=%s:/etc/deskbridge/credentials/%s\n' $name $name
		done
	} >/etc/systemd/system/deskbridge.service.d/override.conf
	chmod 0700 /etc/deskbridge/credentials
	chmod 0600 /etc/deskbridge/credentials/*
	systemctl daemon-reload
	check 'with LoadCredential= it needs no right to the files' systemctl restart deskbridge
	check 'and takes webhooks' post credentials
	check 'and reloads' systemctl reload deskbridge
	deskbridge check >/root/checked 2>&1 || true
	check 'and check by root has nothing against them' grep -q 'deskbridge.yaml: good' /root/checked
	check 'but knows that they need a restart' grep -q 'taken with a restart only' /root/checked
	check 'and asks for no rights' is "$(grep chgrp /root/checked)" ''
	check 'and delivers' delivered_soon credentials 1
}

removed() {
	check 'no secret and no address is in the journal' \
		is "$(journalctl -q -u deskbridge -o json | grep -E 'jo@example|open-sesame|another-one|a-gladly-token|pk_sandbox_boot')" ''
	check 'nor is the admin token, which is the one of the first start' \
		is "$(cat /var/lib/deskbridge/admin-token; journalctl -q -u deskbridge -o json | grep -F "$token")" "$token"
	check 'the service stops' systemctl stop deskbridge
	check 'within its time and well' is "$(of_unit Result) $(of_unit ExecMainStatus)" 'success 0'
	check 'the package can be removed' take
	check 'and leaves configuration, secrets and state' test -f /etc/deskbridge/deskbridge.yaml -a \
		-f /etc/deskbridge/credentials/klaviyo-api-key -a -f /var/lib/deskbridge/deskbridge.db
}

# left: prints the files named deskbridge in the folders of packages, administrators and systemd.
left() {
	find /etc /usr /var /run /srv -xdev \( -path /run/systemd -o -path /var/log \) -prune -o -name '*deskbridge*' -print | sort
	find /etc/systemd -lname '*deskbridge*'
}

# purged: checks the purge, after removed. A store elsewhere, targets of links outside, and a drop-in of the
# administrator stay.
purged() {
	mkdir -p /root/outside /srv/kept
	touch /root/outside/file /srv/kept/store.db
	ln -s /root/outside /var/lib/deskbridge/link
	ln -s /root/outside/file /etc/deskbridge/credentials/link
	touch /var/lib/deskbridge/.hidden
	echo 'store: "sqlite:/srv/kept/store.db" # elsewhere' >>/etc/deskbridge/deskbridge.yaml
	check 'it can be purged, without a question' sh -c 'dpkg -P deskbridge >/root/purged 2>&1 </dev/null'
	check 'nothing of it is left but the drop-in' is "$(left)" /etc/systemd/system/deskbridge.service.d
	check 'which is named' grep -q '/etc/systemd/system/deskbridge.service.d stays' /root/purged
	check 'so is a store elsewhere' grep -q 'the store /srv/kept/store.db stays' /root/purged
	check 'which stays, as does what links led to' test -f /srv/kept/store.db -a -f /root/outside/file
	check 'the user stays' getent passwd deskbridge
	rm -r /etc/systemd/system/deskbridge.service.d
	systemctl daemon-reload
}

# from_former: tests an upgrade under load from a package that has the program in /usr/sbin, which a drop-in names.
from_former() {
	check 'the former package can be installed' put former
	configured another-one
	mkdir -p /etc/systemd/system/deskbridge.service.d
	printf '[Service]\nExecStart=\nExecStart=/usr/sbin/deskbridge -c /etc/deskbridge/deskbridge.yaml serve\n' \
		>/etc/systemd/system/deskbridge.service.d/program.conf
	systemctl daemon-reload
	check 'systemd holds its socket' systemctl enable -q --now deskbridge.socket
	check 'its service starts' systemctl start deskbridge
	check 'the program is in sbin' is "$(readlink "/proc/$(of_unit MainPID)/exe")" /usr/sbin/deskbridge
	through 'it can be upgraded' put deskbridge
	check 'socket and service run on' both_run
	check 'by the link that the drop-in names' is "$(readlink "/proc/$(of_unit MainPID)/exe")" /usr/bin/deskbridge
	check 'it reloads' systemctl reload deskbridge
	check 'and takes webhooks' post from-former
	rm -r /etc/systemd/system/deskbridge.service.d
	systemctl daemon-reload
	check 'without the drop-in too' systemctl restart deskbridge
	check 'the enabled units have links to units that are there' is "$(find /etc/systemd/system -xtype l)" ''
}

# purged_with_mounts: tests a purge where the folder of the store is a link, and something is mounted below the
# configuration.
purged_with_mounts() {
	systemctl stop deskbridge.socket deskbridge.service
	mv /var/lib/deskbridge /srv/moved
	ln -s /srv/moved /var/lib/deskbridge
	mkdir /etc/deskbridge/mounted
	mount --bind /root/outside /etc/deskbridge/mounted
	check 'it can be purged where it runs no more' sh -c 'dpkg -P deskbridge >/root/purged 2>&1 </dev/null'
	check 'what a link to the store led to stays' test -f /srv/moved/deskbridge.db -a ! -h /var/lib/deskbridge
	check 'and is named' grep -q '/var/lib/deskbridge was a link; what it led to stays: /srv/moved$' /root/purged
	check 'what is mounted in the configuration stays' test -f /root/outside/file -a -f /etc/deskbridge/deskbridge.yaml
	check 'and the folder is named' grep -q '/etc/deskbridge stays, as something is mounted below it' /root/purged
	umount /etc/deskbridge/mounted
	rm -r /etc/deskbridge
	check 'it can be installed once more' put deskbridge
	check 'as if it had never been there' is "$(systemctl is-enabled deskbridge.service deskbridge.socket | tr '\n' ' ')" 'enabled disabled '
}

inside() {
	for part in installed runs reloads closed dies watched misconfigured activated reinstalled by_credentials removed \
		purged from_former purged_with_mounts; do
		$part
	done
	printf '1..%d\n' $n
}

# Prints the daemon's journal, to show the reason of a failure.
keep_journal() {
	journalctl -q -u deskbridge -o short-precise >/root/journal
}

case ${1:-} in
--inside)
	trap keep_journal EXIT
	inside
	;;
*) outside "$@" ;;
esac
