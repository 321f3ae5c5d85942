#!/bin/bash
# The longest files and functions of the program. A report: fails at nothing.
set -eu
cd "${1:?usage: lengths.sh SOURCE-ROOT}"
echo "lines  file"
wc -l crypto/*.c store/*.c fs/*.c | grep -v ' total$' | sort -rn | head -10
echo "lines  function"
awk '
	/^[a-z_]+\(/ { name = $0; sub(/\(.*/, "", name); start = FNR }
	/^}/ && name != "" { print FNR - start + 1, FILENAME ": " name; name = "" }
' crypto/*.c store/*.c fs/*.c | sort -rn | head -15
