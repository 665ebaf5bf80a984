#!/bin/sh
# Installs from Debian what the tests drive from outside, when it is absent and we may install. Without it those tests
# are skipped, and with BRAMA_TEST_REQUIRE=all they fail. (A JDK and Maven are too large for that: their tests may skip.)
set -eu

# command it brings:package,package
mono="mono-mcs,mono-runtime,libmono-system-net-http4.0-cil,libmono-system-xml-linq4.0-cil"
wanted="xmlsec1:xmlsec1 node:nodejs npm:npm php:php-cli mcs:$mono"

missing=""
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing $(echo "${pair#*:}" | tr ',' ' ')"
done
php -m 2>/dev/null | grep -qx soap || missing="$missing php-soap"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing from Debian:$missing"
    apt-get update -qq >/dev/null || true
    for package in $missing; do  # one by one, so that one which cannot be had does not keep the others out
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null \
            || echo "Could not install $package: the tests that need it are skipped."
    done
else
    echo "Not installed, and not ours to install:$missing. The tests that need it are skipped."
fi
