#!/bin/sh
# Make ./configure from configure.ac. Run once after cloning; make reruns it when needed.
set -e
cd "$(dirname "$0")"
for tool in autoconf automake pkg-config; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
	echo "autogen.sh: missing tools; install them with: apt-get install$missing" >&2
	exit 1
fi
exec autoreconf --install --force --warnings=all,no-portability
