#!/bin/bash
# Includes go fs -> store -> crypto, never up; and crypto/ knows only the C
# library, libsodium, libcrypto and jansson. Prints each line that does not.
set -eu
cd "${1:?usage: layers.sh SOURCE-ROOT}"
bad=0

# forbid FOLDER PATTERN WHY: no #include in FOLDER matches PATTERN.
forbid() {
	if grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]+$2" \
	    "$1"/*.[ch]; then
		echo "$1/: $3" >&2
		bad=1
	fi
}

forbid crypto '"(store|fs|tests)/' 'includes upward'
forbid store '"(fs|tests)/' 'includes upward'
forbid fs '"tests/' 'includes upward'
# Every include of ours names its folder, so that these patterns see it.
for folder in crypto store fs; do
	forbid "$folder" '"[^/"]*"' 'an include without its folder'
done
forbid crypto '<(curl|sqlite3|expat|fuse|microhttpd|pthread|sys/socket|syslog)' \
    'no network, database, threads or log here'
forbid store '<(fuse|microhttpd)' 'FUSE belongs to fs/'
# Calls, not words of comments: those have a blank or a star before them.
if grep -nE '(^|[(=!&|?:,	]|return) *(fopen|open|socket|getenv|clock_gettime|gettimeofday|time|fprintf|printf|syslog)\(' crypto/*.c; then
	echo 'crypto/: no I/O, clock or configuration here' >&2
	bad=1
fi
exit $bad
