#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares the documentation with the source. Exits 1 where something is missing.
# - Every setting of the table is in man/deskbridge.yaml.5 with its default, and in etc/deskbridge.yaml, set or as
#   "#key: value" with its default. Neither names a setting that is not in the table.
# - Every key of the language of definitions and every body to paste is in man/deskbridge-helpdesks.5, and the limits
#   there are the source's.
# - Every metric is in man/deskbridge.8 with its labels, and every thread in doc/threads.md.
# - Every table and index of the store is in doc/store.md, which describes no other.
set -u
source_dir=${TEST_SRCDIR:?run by make check}/..
list=./tests/unit/conf/list_settings
man=$source_dir/man/deskbridge.yaml.5
sample=$source_dir/etc/deskbridge.yaml
[ -x "$list" ] || exit 99

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0
offence() {
	printf 'check-docs: %s\n' "$*"
	failed=1
}

"$list" >"$work/table" || exit 99
[ -s "$work/table" ] || exit 99
tab=$(printf '\t')

# A setting in a comment has no blank after its #.
sed 's/^\( *\)#\([a-z]\)/\1\2/' "$sample" >"$work/full.yaml"
"$list" "$work/full.yaml" >"$work/used" || offence "etc/deskbridge.yaml does not read with all its settings"

# Prints the page's entries as plain text: "name" and the rest of its line.
sed -n 's/^\.SETTING *//p' "$man" | sed 's/\\-/-/g; s/\\&//g; s/\\(aq/'"'"'/g; s/\\(dq/"/g' >"$work/man"

while IFS=$tab read -r name type rest; do
	fallback=$(awk -F '\t' -v name="$name" '$1 == name { print $3 }' "$work/table")
	awk -v name="$name" '$1 == name { found = 1 } END { exit !found }' "$work/man" ||
		offence "$name ($type) is missing in man/deskbridge.yaml.5"
	if [ -n "$fallback" ]; then
		grep -F -x -q "$name \"$fallback\"" "$work/man" ||
			offence "$name: man/deskbridge.yaml.5 does not give its default, $fallback"
	fi

	# Several accounts replace the single one, so both cannot be set in one file.
	if [ "$name" = klaviyo.accounts ]; then
		grep -q '^#.*klaviyo: {accounts:' "$sample" || offence "$name is missing in etc/deskbridge.yaml"
		continue
	fi
	awk -F '\t' -v name="$name" '$1 == name { found = 1 } END { exit !found }' "$work/used" || {
		offence "$name ($type) is missing in etc/deskbridge.yaml"
		continue
	}
	[ -z "$fallback" ] || grep -F -x -q "$name$tab$fallback" "$work/used" ||
		offence "$name: etc/deskbridge.yaml does not give its default, $fallback"
done <"$work/table"

while read -r name rest; do
	awk -F '\t' -v name="$name" '$1 == name { found = 1 } END { exit !found }' "$work/table" ||
		offence "man/deskbridge.yaml.5 describes $name, which is no setting"
done <"$work/man"

# ---- the language of definitions ------------------------------------------------------------------------------------------

page=$source_dir/man/deskbridge-helpdesks.5
sed 's/\\-/-/g; s/\\&//g; s/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\e/\\/g' "$page" >"$work/page"

# keys_of FILE TABLE: prints the words of a NULL-terminated table of texts in the source.
keys_of() {
	sed -n "/$2\\[\\] = {/,/};/p" "$source_dir/src/helpdesk/$1" | grep -oE '"[a-z_]+"' | tr -d '"'
}
for table in definition/compile.c:definition_keys definition/step.c:step_keys definition/sample.c:sample_keys proof/hmac.c:hmac_keys; do
	keys=$(keys_of "${table%:*}" "${table#*:}")
	[ -n "$keys" ] || offence "no keys found in src/helpdesk/${table%:*} (${table#*:})"
	for key in $keys; do
		grep -qE "^\\.(B|BR|BI|TP) .*\\b$key\\b" "$work/page" || offence "man/deskbridge-helpdesks.5 does not describe $key (${table#*:})"
	done
done

# ---- metrics --------------------------------------------------------------------------------------------------------------

# Prints NAME{LABEL, LABEL} of each row of the table and of each entry of the page.
awk '/^\} specs\[METRIC_MAX_\] = \{/,/^\};/' "$source_dir/src/base/metrics.c" | tr '\n\t' '  ' | sed 's/\[METRIC_/\n/g' |
	sed -nE 's/.*"(deskbridge_[a-z_]+)".*\{("[a-z]+"(, "[a-z]+")*)\}.*/\1{\2}/p; t; s/.*"(deskbridge_[a-z_]+)".*/\1/p' |
	tr -d '"' | sort >"$work/metrics"
sed -n '/^\.SH METRICS/,/^\.SH WHAT/s/^\.B \(deskbridge_.*\)/\1/p' "$source_dir/man/deskbridge.8" | sort >"$work/told"
[ -s "$work/metrics" ] || offence "no metrics found in src/base/metrics.c"
while read -r metric; do
	grep -Fxq "$metric" "$work/told" || offence "man/deskbridge.8, METRICS, does not describe $metric"
done <"$work/metrics"
while read -r metric; do
	grep -Fxq "$metric" "$work/metrics" || offence "man/deskbridge.8, METRICS: src/base/metrics.c has no $metric"
done <"$work/told"

# ---- threads --------------------------------------------------------------------------------------------------------------

described=doc/threads.md
threads=$(grep -rhE -A1 'thread_start\(|struct writer_options options' "$source_dir/src" --include='*.c' |
	sed -nE 's/.*(thread_start\(.*|\.name = )"([a-z-]+)".*/\2/p')
[ -n "$threads" ] || offence "no names of threads found in src"
for thread in $threads; do
	grep -qF "\`$thread\`" "$source_dir/$described" || offence "$described does not describe the thread $thread"
done

# ---- the store's format ---------------------------------------------------------------------------------------------------

format=doc/store.md
sed -n '/^## Tables/,/^## Indexes/p' "$source_dir/$format" >"$work/tables"
sed -n '/^## Indexes/,/^## Damaged/s/^| \([^|]*\) |.*/\1/p' "$source_dir/$format" >"$work/indexes"
# made KIND: the names of what the migrations and keys.h create of that kind, without what a later migration, or the list
# `former` of schema.c, drops.
made() {
	cat "$source_dir/src/store/schema.c" "$source_dir/src/store/migrate.c" "$source_dir/src/store/keys.h" | sed "s/IF NOT EXISTS //" | awk -v kind="$1" '
		function drop(name, other) {
			delete of[name]
			for (other in on) if (on[other] == name) delete of[other]
		}
		match($0, /"CREATE (UNIQUE )?(TABLE|INDEX) [a-z_]+ (ON [a-z_]+ )?/) {
			n = split(substr($0, RSTART + 8, RLENGTH - 8), word, " ")
			if (word[1] == "UNIQUE") { for (i = 1; i < n; i++) word[i] = word[i + 1]; n-- }
			of[word[2]] = word[1]
			if (n == 4) on[word[2]] = word[4]
		}
		match($0, /"DROP (TABLE|INDEX) [a-z_]+;/) {
			split(substr($0, RSTART + 6, RLENGTH - 7), word, " ")
			drop(word[2])
		}
		/former\[\] = \{/ { is_former = 1 }
		is_former {
			for (rest = $0; match(rest, /\{"(index|table)", "[a-z_]+"\}/); rest = substr(rest, RSTART + RLENGTH)) {
				split(substr(rest, RSTART, RLENGTH), word, "\"")
				dropped[word[4]] = 1
			}
		}
		/;$/ { is_former = 0 }
		END {
			for (name in dropped) drop(name)
			for (name in of) if (of[name] == kind) print name
		}'
}
made TABLE >"$work/made_tables"
made INDEX >"$work/made_indexes"
[ -s "$work/made_tables" ] && [ -s "$work/made_indexes" ] || offence "no tables or indexes found in src/store"
while read -r name; do
	grep -q "^\*\*$name\*\*" "$work/tables" || offence "$format does not describe the table $name"
done <"$work/made_tables"
while read -r name; do
	grep -qw "$name" "$work/indexes" || offence "$format does not name the index $name"
done <"$work/made_indexes"
for name in $(sed -n 's/^\*\*\([a-z_]*\)\*\*.*/\1/p' "$work/tables"); do
	grep -Fxq "$name" "$work/made_tables" || offence "$format describes the table $name, which a store does not have"
done
for name in $(grep -oE '[a-z]+_[a-z_]+' "$work/indexes"); do
	grep -Fxq "$name" "$work/made_indexes" || offence "$format names the index $name, which a store does not have"
done

# ---- limits ---------------------------------------------------------------------------------------------------------------

# number FILE MACRO: prints the value of a #define of plain arithmetic.
number() {
	text=$(sed -n "s/^#define $2 //p" "$source_dir/src/$1" | sed 's:/\*.*::; s/(size_t)//g')
	# shellcheck disable=SC2004
	case $text in
	'' | *[!0-9\ \(\)\*\<\+-]*) ;;
	*) echo "$(($text))" ;; # the $ makes an expression of it
	esac
}

# in_words NUMBER: prints the number as the page writes it, with a comma between thousands, or as whole MiB.
in_words() {
	if [ "$1" -ge 1048576 ] && [ $(($1 % 1048576)) = 0 ]; then
		echo "$(($1 / 1048576)) MiB"
	else
		echo "$1" | sed ':again; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; t again'
	fi
}

# Prints FILE, MACRO, and the text after .B two lines further down.
awk '/^\.\\" LIMIT [a-z]/ { file = $3; macro = $4; line = NR } line && NR == line + 2 { print file, macro, substr($0, 4) }' "$page" >"$work/limits"
for macro in PROPERTY_TEXT_MAX PROPERTY_LIST_MAX PROPERTY_NAME_MAX ID_MAX ADDRESSES_MAX EMAIL_MAX EMAIL_TEXT_MAX LINK_MAX VALUES_MAX STEPS_MAX SAMPLES_ALSO_MAX; do
	grep -q " $macro " "$work/limits" || offence "man/deskbridge-helpdesks.5, LIMITS: $macro is missing"
done
while read -r file macro text; do
	value=$(number "$file" "$macro")
	[ -n "$value" ] || {
		offence "man/deskbridge-helpdesks.5, LIMITS: src/$file has no number $macro"
		continue
	}
	case $text in
	"$(in_words "$value")" | "$(in_words "$value") "*) ;;
	*) offence "man/deskbridge-helpdesks.5, LIMITS: \"$text\", but $macro in src/$file is $value" ;;
	esac
done <"$work/limits"

deskbridge=${DESKBRIDGE:-./deskbridge}
for file in "$source_dir"/etc/helpdesks/*.yaml; do
	name=$(basename "$file" .yaml)
	grep -q '^paste:' "$file" || continue
	for transition in opened reopened closed; do
		DESKBRIDGE_PRESETS=$source_dir/etc/helpdesks "$deskbridge" presets "$name" --paste "$transition" >"$work/paste" || {
			offence "deskbridge presets $name --paste $transition fails"
			continue
		}
		awk 'NR == FNR { body = body $0 "\n"; next } { page = page $0 "\n" } END { exit index(page, body) == 0 }' \
			"$work/paste" "$work/page" || offence "man/deskbridge-helpdesks.5 lacks what $name wants pasted for $transition"
	done
done
exit $failed
