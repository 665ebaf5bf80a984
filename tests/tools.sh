#!/bin/sh
# Installs from Debian what the tests drive from outside, when it is absent and we may install. Without it those tests
# are skipped, and with BRAMA_TEST_REQUIRE=all they fail.
set -eu

# command it brings:package
wanted="xmlsec1:xmlsec1"

missing=""
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing from Debian:$missing"
    apt-get update -qq >/dev/null || true
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null \
        || echo "Could not install$missing: the tests that need it are skipped."
else
    echo "Not installed, and not ours to install:$missing. The tests that need it are skipped."
fi
