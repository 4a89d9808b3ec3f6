#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the rules of the tree (HACKING.md). Prints every offence; exits 1 where there was one. The rules say:
# - which files may use a library, which folders are pure, and which folders a folder may include
# - no circle of files that include or call each other, no unused function, no very long file
#
#   tests/check-tree.sh [OBJECTS]
# OBJECTS: src of a build tree, by default that of $DESKBRIDGE. Without objects calls are not checked.
set -u
objects=${1:-${DESKBRIDGE:+${DESKBRIDGE%/*}/src}}
[ -z "$objects" ] || objects=$(cd "$objects" && pwd) || exit 99
cd "$(dirname "$0")/.." || exit 99
failed=0
offence() {
	printf 'check-tree: %s\n' "$*"
	failed=1
}

# Folders from the lowest layer to the highest. A folder includes only itself and lower ones; the rooms of src/helpdesk
# are layers, too.
layers='base http helpdesk/expr helpdesk/proof helpdesk/definition helpdesk/plan helpdesk/parse decision klaviyo conf store courier pipeline intake admin command sandbox'

# rank FILE: prints the layer of a file below src/; 0 where its folder is not in the list.
rank() {
	n=0
	for layer in $layers; do
		n=$((n + 1))
		case $1 in
		"$layer"/*)
			echo $n
			return
			;;
		esac
	done
	echo 0
}

# only HEADER FOLDER_OR_FILE…: checks that no other file under src includes the header.
only() {
	header=$1
	shift
	for file in $(grep -lE "#include <$header" -r src --include='*.[ch]'); do
		for allowed in "$@"; do
			case $file in "$allowed"*) continue 2 ;; esac
		done
		offence "$file includes <$header…>, which only $* may know"
	done
}
only microhttpd.h src/http/
only curl/ src/http/
only yaml.h src/conf/
only sqlite3.h src/store/ src/main.c
only 'systemd/' src/base/log_out.c src/command/
only gnutls/ src/base/digest.c src/base/idn.c src/conf/authority.c src/main.c

# base/json counts each parse, which test_read_once.py reads.
for file in $(grep -lE 'json_tokener_(new|parse)|json_object_from_f' -r src --include='*.[ch]'); do
	[ "$file" = src/base/json.c ] || offence "$file parses JSON, which only json_read() of src/base/json.c does"
done

# Includes are written from src/ and point to the same folder or a lower one.
for file in $(find src -mindepth 2 -name '*.[ch]' | sort); do
	mine=$(rank "${file#src/}")
	[ "$mine" -gt 0 ] || offence "$file: its folder is not in the list of layers"
	grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" | grep -vE ':#include ["<]' && offence "$file: an include that is not written as #include \"…\""
	for included in $(sed -n 's/^#include <\([^>]*\)>.*/\1/p' "$file"); do
		[ ! -f "src/$included" ] || offence "$file includes <$included>: of this tree, so \"$included\""
	done
	for included in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
		[ -f "src/$included" ] || {
			offence "$file includes \"$included\": no such file under src/"
			continue
		}
		theirs=$(rank "$included")
		[ "$theirs" -le "$mine" ] || offence "$file includes \"$included\": upwards"
	done
done

# Commands do not call the pipeline: a command has no turn and no store to write.
for file in src/command/*explain*.[ch]; do
	found=$(grep -n '^#include "pipeline/' "$file") && offence "$file explains decisions and includes the pipeline: $found"
done

# Files that call or include each other in a circle are one file in several pieces. Calls go to the same or a lower
# folder, too. A function that only its own file uses is static, or its header says why it is not.
if found=$("${PYTHON3:-/usr/bin/python3}" tests/circles --unused --layers "$layers" src ${objects:+"$objects"} 2>&1); then
	[ -z "$found" ] || printf '%s\n' "$found"
else
	offence "$found"
fi
[ -n "$objects" ] || echo "check-tree: no objects are named: calls were not looked at"

# Pure code gets everything by parameter: no clock, no I/O, no thread, no log, no environment, no random numbers.
pure="src/helpdesk src/decision src/klaviyo src/courier/pace.c src/courier/pace.h src/courier/upstream.c src/courier/upstream.h"
banned='\b(known_secrets_[a-z]+|fopen|open|read|write|socket|time|gettimeofday|clock_gettime|clock_now_ms|clock_mono_ms|clock_mono_us|clock_both_ms|getenv|rand|random|digest_random|digest_random_below|pthread_[a-z_]+|log_(write|error|warning|notice|info|debug)|metrics_(add|set|observe)|sleep|usleep|nanosleep|fork|system)\('
for place in $pure; do
	found=$(grep -rnE "$banned" "$place" --include='*.[ch]' | grep -vE ':[[:space:]]*(\*|/\*)')
	[ -z "$found" ] || offence "$place is pure, but: $found"
	found=$(grep -rnE '^#include (<(time|pthread|unistd|fcntl|sys/[a-z]+)\.h>|"base/(log|thread|metrics)\.h")' "$place" --include='*.[ch]')
	[ -z "$found" ] || offence "$place is pure, but: $found"
done

for file in $(find src -name '*.[ch]' | sort); do
	lines=$(wc -l <"$file")
	[ "$lines" -le 560 ] || offence "$file has $lines lines: more than one thing?"
	case $file in
	*.c) [ "$(grep -m1 '^#include' "$file")" = '#include <config.h>' ] || offence "$file does not #include <config.h> first" ;;
	esac
	grep -nE '(^|[^:])//' "$file" | grep -vE '"[^"]*//|/\*.*//|^[0-9]+:[[:space:]]*\*' | head -1 | grep -q . && offence "$file: a // comment"
done
# All output goes through base/out, which escapes it and redacts secrets.
found=$(grep -rnE '\b(printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|putchar_unlocked|fputc|putc|fwrite|perror)\(' src --include='*.[ch]' | grep -vE '^src/base/out\.[ch]:|:[[:space:]]*(\*|/\*)')
[ -z "$found" ] || offence "printed without base/out: $found"

# Locks are those of base/lock, which know their holder, so that code can insist on it.
found=$(grep -rnE '\bpthread_(mutex|cond|rwlock)_' src --include='*.[ch]' | grep -v '^src/base/lock\.[ch]:')
[ -z "$found" ] || offence "a lock that is not base/lock: $found"

for word in strcpy strcat sprintf vsprintf gets atoi atol strtok; do
	found=$(grep -rnE "\b$word\(" src --include='*.[ch]')
	[ -z "$found" ] || offence "banned function $word: $found"
done

# SQL names the numbers of enums by macros (store/numbers.h), except in released steps of the schema, which never
# change. Adjacent literals are one text, so they are joined first.
found=$(for file in src/store/*.c; do
	[ "$file" = src/store/schema.c ] || awk '
		{ sub(/^[ \t]+/, ""); gsub(/"[ \t]+"/, "") }
		held != "" { if (/^"/) $0 = held substr($0, 2); else print FILENAME ":" FNR - 1 ": " held }
		{ held = "" }
		/"$/ { held = substr($0, 1, length($0) - 1); next }
		{ print FILENAME ":" FNR ": " $0 }' "$file"
done | grep -E '"[^"]*\b(state|wait|transition) *(=|<>|<|>|IN) *\(?[0-9]')
[ -z "$found" ] || offence "a number in SQL where store/numbers.h has a name: $found"

# Every source is in the build (and so in the tarball).
for file in $(find src -mindepth 2 -name '*.[ch]'); do
	folder=${file#src/}
	list=src/${folder%%/*}/module.am
	grep -qF "$file" "$list" || offence "$file is not in $list"
done
# Each file that HACKING.md, a page in doc/ or a comment names exists. NAME stands for any name.
files=$(find ./src ./tests ./bench ./scripts -type f)
for file in $(grep -ohE '`[A-Za-z0-9_./-]+\.(c|h|py|sh)`' HACKING.md $(ls doc/*.md 2>/dev/null) | tr -d '`' | grep -v '[A-Z]' | sort -u) \
	$(grep -rhE '^[[:space:]]*\*|/\*' src --include='*.[ch]' | grep -oE '\b([a-z_]+/)*[a-z_0-9]+\.[ch]\b' | grep -v '^openssl/' | sort -u); do
	printf '%s\n' "$files" | grep -qF "/$file" || offence "HACKING.md, doc/ or a comment names $file, which is not there"
done

# Code that unit tests share is compiled once (tests/unit/fixtures): a header holds no state and no function of more than
# three lines.
found=$(find tests/unit -name '*.h' 2>/dev/null | sort | xargs awk '
	/^\{/ { from = FNR }
	/^\}/ && from { if (FNR - from > 4) print FILENAME ":" from ": a function of " FNR - from - 1 " lines"; from = 0 }
	/^[ \t]*static / && !/^[ \t]*static (const |[^=;]*\()/ { print FILENAME ":" FNR ": static state" }' /dev/null)
[ -z "$found" ] || offence "a header of unit tests holds code or state: $found"

# Each file names its licence in its first two lines. LICENSE is enough for data and documents.
for file in $(find src tests bench scripts man systemd -type f 2>/dev/null |
	grep -E '\.([ch]|py|sh|am|lua|[58]|in|conf)$|/[^./]*$' | grep -vE '/data/|/corpus|/__pycache__/'); do
	head -n 2 "$file" | grep -qF 'SPDX-License-Identifier: MIT' || ! grep -Iq . "$file" ||
		offence "$file does not say its licence: SPDX-License-Identifier: MIT"
done

# A banner between the sections of a file is one line.
for folder in src tests bench; do
	found=$(grep -rn -A1 '^/\* ---- ' $folder --include='*.[ch]' 2>/dev/null | grep -E '^[^:]*-[0-9]+- \*')
	[ -z "$found" ] || offence "a banner of more than one line: $found"
done

# A comment names only documents that a reader of the tree can open: *.md and man/* by their path, and a section by
# number in an RFC only. A name in quotes is not in a comment.
named() {
	grep -rI --exclude-dir=data --exclude-dir='corpus*' "$@" src tests bench scripts
}
found=$(named -nE '\bsections? [0-9]' | grep -v RFC)
[ -z "$found" ] || offence "a section of a document that is not in the tree: $found"
for file in $(named -hoE '(^|[^"A-Za-z0-9_./-])([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+\.md\b|\bman/[a-z.-]+\.[0-9]\b' | sed 's/^[^A-Za-z0-9_]//' | sort -u); do
	[ -f "$file" ] || offence "a comment names $file, which is not there"
done

[ $failed = 0 ] && echo "check-tree: the tree keeps its rules"
exit $failed
