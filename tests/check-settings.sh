#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks that every setting has an effect: code outside src/conf, and outside the commands that only print, reads the
# member that the setting fills. Members of helpdesk definitions and rules must be read by a function that does not
# compile or free them.
#
# The compiler finds the readers, so that two members of the same name are distinguished. In copies of the headers each
# member is marked as deprecated, and the compiler warns of each use with the line of the declaration. A member that no
# code reads is added to the copies, and the check fails where it does not find that one. Exits 1 where a setting has no
# reader, 77 where the compiler's warnings are not sufficient.
set -u
LC_ALL=C
export LC_ALL
top=${TEST_SRCDIR:?run by make check}/..
build=$PWD
list=./tests/unit/conf/list_settings
[ -x "$list" ] || exit 99
compiler=${CHECK_CC:-cc}

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
# This link gives the tree a name without blanks, which the lists of words below need.
ln -s "$(cd "$top" && pwd)" "$work/tree" || exit 99
top=$work/tree
failed=0
offence() {
	printf 'check-settings: %s\n' "$*"
	failed=1
}

# ---- marked headers -------------------------------------------------------------------------------------------------------

# mark HEADER STRUCT…: writes a copy of the header in which each member of these structs is marked, and an unread one is
# added to each.
mark() {
	header=$1
	shift
	mkdir -p "$work/src/$(dirname "$header")"
	awk -v structs=" $* " -v attribute=' __attribute__((deprecated))' '
		/^struct [a-z_]+ \{/ {
			inside = index(structs, " " $2 " ") > 0
			print
			if (inside)
				print "\tint planted" attribute ";"
			next
		}
		/^\};/ { inside = 0 }
		inside && !/^\t*(\/\*| \*|\})/ && (end = index($0, ";")) {
			code = substr($0, 1, end)
			gsub(/[,;]/, attribute "&", code)
			$0 = code substr($0, end + 1)
		}
		{ print }
	' "$top/src/$header" >"$work/src/$header"
}
mark conf/conf.h config account source
mark decision/policy.h late account_policy account_choice source_policy
mark klaviyo/quota.h quota_limits
mark helpdesk/definition/definition_internal.h definition
mark helpdesk/definition/definition.h definition_about
mark helpdesk/proof/proof.h proof_about
mark helpdesk/proof/proof_internal.h proof hmac
mark helpdesk/definition/step.h step
mark decision/rules_internal.h rule

# compile FILE…: prints one use per line: FILE, FUNCTION, and HEADER:LINE of the member's declaration.
compile() {
	# shellcheck disable=SC2086 # the flags are words; make's are written for the build's folder
	(cd "$build" && $compiler $flags -fsyntax-only -Wdeprecated-declarations "$@") 2>"$work/said" || {
		grep -m 5 'error' "$work/said" || tail -n 5 "$work/said"
		echo "check-settings: this does not compile: $*"
		exit 99
	} >&2
	awk -v work="$work/src/" -v top="$top/" '
		/: In function / { function_name = $NF; gsub(/[^A-Za-z0-9_]/, "", function_name) }
		/: warning: / { file = $1; sub(/:.*/, "", file); sub(/.*\/src\//, "src/", file); line = $1; sub(/^[^:]*:/, "", line); sub(/:.*/, "", line) }
		/: note: / && index($1, work) == 1 {
			place = substr($1, length(work) + 1)
			sub(/:[0-9]+:$/, "", place)
			print file, function_name, place, line
		}
	' "$work/said"
}
flags="-I$work/src -I$top/src ${CHECK_CPPFLAGS:-"-I."}"
flags="$flags -DDESKBRIDGE_SYSCONFDIR=\"\" -DDESKBRIDGE_PRESETDIR=\"\" -DDESKBRIDGE_STATEDIR=\"\""

# shellcheck disable=SC2046 # no blanks in the names of sources
compile $(find "$top/src" -name '*.c') >"$work/uses" || exit 99
[ -s "$work/uses" ] || {
	echo "check-settings: $compiler does not tell where a deprecated member is used"
	exit 77
}

# ---- settings -------------------------------------------------------------------------------------------------------------

# The members of settings that src/conf reads by code of its own, or converts.
becomes() {
	case $1 in
	store.url) echo config.store.path ;;
	klaviyo | klaviyo.accounts) echo config.accounts ;;
	sources) echo config.sources ;;
	sources.NAME.preset | sources.NAME.definition | sources.NAME.with | sources.NAME.lookup.base_url) echo source.definition ;;
	sources.NAME.authenticate | sources.NAME.authenticate.method) echo source.definition ;;
	sources.NAME.account) echo source.policy.accounts ;;
	sources.NAME.rules | rules) echo source.policy.rules ;;
	esac
}

"$list" --members >"$work/members" || exit 99
[ "$(wc -l <"$work/members")" -gt 40 ] || exit 99
printf 'planted\taccount.planted\n' >>"$work/members"
tab=$(printf '\t')
: >"$work/probed"
while IFS=$tab read -r name member; do
	[ "$member" != only ] || continue
	instead=$(becomes "$name")
	if [ -n "$instead" ]; then
		grep -q "\"${name##*.}\"\|$(echo "$member" | sed 's/.*\.//; s/^$/no member/')" "$top"/src/conf/conf*.c ||
			offence "$name: src/conf reads it nowhere"
		member=$instead
	fi
	if [ -z "$member" ]; then
		offence "$name fills no member: where code of its own reads it, say in tests/check-settings.sh what it becomes"
	else
		printf '%s\t%s\n' "$name" "$member" >>"$work/probed"
	fi
done <"$work/members"

# Writes a line for each setting that reads its member: the compiler names the member's declaration there.
{
	cat <<-'C'
		#include "conf/conf.h"
	C
	awk -F '\t' '{
		owner = path = $2
		sub(/\..*/, "", owner)
		sub(/^[^.]*\./, "", path)
		printf "int probe_%d(const struct %s *x); int probe_%d(const struct %s *x) { (void)x->%s; return 0; }\n", NR, owner, NR, owner, path
	}' "$work/probed"
} >"$work/probe.c"
compile "$work/probe.c" >"$work/probe" || exit 99

# Prints the readers that count: not the code that reads the file, and of the commands only the daemon, as the others
# only print.
awk '$1 !~ /^src\/conf\// && ($1 !~ /^src\/command\// || $1 ~ /^src\/command\/(cmd_serve|serve_[a-z]+)\.c$/) { print $3 }' "$work/uses" |
	sort -u >"$work/obeyed"

n=1
planted=
while IFS=$tab read -r name member; do
	n=$((n + 1))
	places=$(awk -v n=$n '$4 == n { print $3 }' "$work/probe" | sort -u)
	[ -n "$places" ] || offence "$name: its member $member is not marked"
	for place in $places; do
		grep -F -x -q "$place" "$work/obeyed" && continue
		if [ "$name" = planted ]; then
			planted=found
		else
			offence "$name: no code but src/conf's and the printing commands' reads $member (src/$place)"
		fi
	done
done <"$work/probed"
[ -n "$planted" ] || offence "the member that nobody reads was not found: this check is blind"

# ---- definitions and rules ------------------------------------------------------------------------------------------------

# Functions that compile and functions that use a member are told apart by name, so the compiler must name them.
if grep -q ': In function ' "$work/said"; then
	awk '$2 !~ /compile|_done$|_free$|^read_|^reader_|^check_/ { print $3 }' "$work/uses" | sort -u >"$work/obeyed"
	for header in helpdesk/definition/definition_internal.h helpdesk/definition/definition.h helpdesk/proof/proof_internal.h helpdesk/definition/step.h decision/rules_internal.h; do
		grep -n '__attribute__((deprecated))' "$work/src/$header" >"$work/marked"
		[ -s "$work/marked" ] || offence "src/$header: no member is marked"
		planted=
		while IFS=: read -r line code; do
			grep -F -x -q "$header:$line" "$work/obeyed" && continue
			case $code in
			*planted*) planted=found ;;
			*" cache_ms "*) ;; # the smallest of all steps is the definition's own
			*" *own_name "*) ;; # only holds the memory that name points to
			*) offence "src/$header: compiled and obeyed by nobody: $(echo "$code" | sed 's/ __attribute__((deprecated))//g')" ;;
			esac
		done <"$work/marked"
		[ -n "$planted" ] || offence "src/$header: the member that nobody reads was not found: this check is blind"
	done
else
	echo "check-settings: $compiler names no functions, so definitions and rules are not looked at"
fi
[ $failed = 0 ] && echo "check-settings: $((n - 2)) settings, all obeyed"
exit $failed
