#!/bin/bash
# The man page and the table of options name the same options; every command
# is in the synopsis, and every reason for a refusal in sesfs(7).
set -eu
sesfs=${1:?usage: options.sh SESFS SOURCE-ROOT} root=$2
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$sesfs" help | sed -n 's/^  sesfs \([a-z]*\) .*/\1/p' >"$tmp/commands"
test -s "$tmp/commands"
while read -r command; do
	"$sesfs" "$command" --help >>"$tmp/help"
	grep -qE "^\.Cm $command\b" "$root/man/sesfs.1" || {
		echo "sesfs.1: no command $command in the synopsis" >&2
		bad=1
	}
	grep -qE "^\.It Cm $command\b" "$root/man/sesfs.1" || {
		echo "sesfs.1: command $command is not described" >&2
		bad=1
	}
done <"$tmp/commands"
grep -oE '^ +(-[a-z], )?--[a-z-]+' "$tmp/help" | sed 's/.*--//' |
    sort -u >"$tmp/have"
test -s "$tmp/have"
grep -E '^\.It .*Fl -' "$root/man/sesfs.1" | grep -oE 'Fl -[a-z-]+' |
    sed 's/Fl -//' | sort -u >"$tmp/man"
if ! diff "$tmp/have" "$tmp/man" >"$tmp/diff"; then
	echo "options: < not in sesfs.1, > only in sesfs.1" >&2
	cat "$tmp/diff" >&2
	bad=1
fi

sed -n 's/^	\([A-Z_]*\) = [1-9][0-9]*,.*/\1/p' "$root/crypto/envelope.h" |
    grep -v '^ACCEPT_' >"$tmp/reasons"
test -s "$tmp/reasons"
while read -r reason; do
	grep -qE "^\.It .*\b$reason\b" "$root/man/sesfs.7" || {
		echo "sesfs.7: reason $reason is not explained" >&2
		bad=1
	}
done <"$tmp/reasons"
exit $bad
