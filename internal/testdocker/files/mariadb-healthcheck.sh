#!/bin/sh
# The part of the official healthcheck.sh that Compose files use: every test asks
# the server, --innodb_initialized asks its storage, and --connect wants it to
# listen, as it does not while it is being made.
set -eu
ask() { MYSQL_PWD="${MARIADB_ROOT_PASSWORD:-${MYSQL_ROOT_PASSWORD:-}}" mariadb -uroot --skip-column-names -e "$1"; }
for test; do
	case "$test" in
	--connect) [ "$(ask 'SELECT @@skip_networking')" = 0 ] ;;
	--innodb_initialized) [ -n "$(ask "SELECT 1 FROM information_schema.engines WHERE engine='innodb' AND support IN ('YES', 'DEFAULT')")" ] ;;
	esac
done
ask 'SELECT 1' >/dev/null
