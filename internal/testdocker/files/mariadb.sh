#!/bin/sh
# Starts MariaDB as the official image does: MariaDB/mariadb-docker,
# docker-entrypoint.sh, without replication, upgrades and restoring backups.
set -eu

datadir=/var/lib/mysql
socket=/run/mysqld/mysqld.sock

# from_file NAME [DEFAULT]: MARIADB_NAME or MYSQL_NAME, either of which may stand in
# a file that the same name with _FILE names, becomes NAME.
from_file() {
	value=
	for name in "MARIADB_$1" "MYSQL_$1"; do
		eval "given=\${$name:-}; file=\${${name}_FILE:-}"
		if [ -n "$given" ] && [ -n "$file" ]; then
			echo >&2 "[ERROR] [Entrypoint]: Both $name and ${name}_FILE are set (but are exclusive)"
			exit 1
		fi
		if [ -n "$file" ]; then given=$(cat "$file"); fi
		value=${value:-$given}
	done
	eval "$1=\${value:-\${2:-}}"
}

# literal makes a string for SQL.
literal() { printf "'%s'" "$(printf %s "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\'/g")"; }
identifier() { printf '`%s`' "$(printf %s "$1" | sed 's/`/``/g')"; }

sql() { MYSQL_PWD=$current mariadb --protocol=socket -uroot -hlocalhost --socket="$socket" "$@"; }

require_password() {
	if [ -z "$ROOT_PASSWORD$ROOT_PASSWORD_HASH$ALLOW_EMPTY_ROOT_PASSWORD$RANDOM_ROOT_PASSWORD" ]; then
		cat >&2 <<-'END'
			[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified
				You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD
		END
		exit 1
	fi
}

start() {
	"$@" --skip-networking --socket="$socket" --wsrep_on=OFF --expire-logs-days=0 --loose-innodb_buffer_pool_load_at_startup=0 &
	server=$!
	until sql --silent -e 'SELECT 1' >/dev/null 2>&1; do
		if ! kill -0 "$server" 2>/dev/null; then
			echo >&2 '[ERROR] [Entrypoint]: Unable to start server.'
			exit 1
		fi
		sleep 0.05
	done
}

make_users() {
	if [ -n "$RANDOM_ROOT_PASSWORD" ]; then
		ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
		echo "[Note] [Entrypoint]: GENERATED ROOT PASSWORD: $ROOT_PASSWORD"
	fi
	identified="BY $(literal "$ROOT_PASSWORD")"
	if [ -n "$ROOT_PASSWORD_HASH" ]; then identified="BY PASSWORD $(literal "$ROOT_PASSWORD_HASH")"; fi
	{
		echo "SET @@SESSION.SQL_LOG_BIN=0;"
		if [ -n "$ROOT_HOST" ] && [ "$ROOT_HOST" != localhost ]; then
			echo "CREATE USER 'root'@$(literal "$ROOT_HOST") IDENTIFIED $identified;"
			echo "GRANT ALL ON *.* TO 'root'@$(literal "$ROOT_HOST") WITH GRANT OPTION;"
		fi
		if [ -n "$DATABASE" ]; then echo "CREATE DATABASE IF NOT EXISTS $(identifier "$DATABASE");"; fi
		if [ -n "$USER_NAME" ] && [ -n "$PASSWORD$PASSWORD_HASH" ]; then
			theirs="BY $(literal "$PASSWORD")"
			if [ -n "$PASSWORD_HASH" ]; then theirs="BY PASSWORD $(literal "$PASSWORD_HASH")"; fi
			echo "CREATE USER $(literal "$USER_NAME")@'%' IDENTIFIED $theirs;"
			if [ -n "$DATABASE" ]; then
				echo "GRANT ALL ON $(identifier "$(printf %s "$DATABASE" | sed 's/_/\\_/g')").* TO $(literal "$USER_NAME")@'%';"
			fi
		fi
		echo "ALTER USER 'root'@'localhost' IDENTIFIED $identified;"
	} | sql --database=mysql
	current=$ROOT_PASSWORD
}

run_init_files() {
	for file; do
		case "$file" in
		*.sh)
			echo "[Note] [Entrypoint]: running $file"
			if [ -x "$file" ]; then "$file"; else . "$file"; fi
			;;
		*.sql) echo "[Note] [Entrypoint]: running $file"; sql --database="$DATABASE" <"$file" ;;
		*.sql.gz) echo "[Note] [Entrypoint]: running $file"; gunzip -c "$file" | sql --database="$DATABASE" ;;
		*.sql.xz) echo "[Note] [Entrypoint]: running $file"; xzcat "$file" | sql --database="$DATABASE" ;;
		*) echo "[Warn] [Entrypoint]: ignoring $file" ;;
		esac
	done
}

initialise() {
	require_password
	mariadb-install-db --datadir="$datadir" --rpm --auth-root-authentication-method=normal --skip-test-db \
		--default-time-zone=SYSTEM --enforce-storage-engine= --skip-log-bin --expire-logs-days=0 --loose-innodb_buffer_pool_load_at_startup=0
	current=
	start "$@"
	make_users
	run_init_files $(find /docker-entrypoint-initdb.d -mindepth 1 -maxdepth 1 | sort)
	kill "$server"
	wait "$server"
	printf '\n[Note] [Entrypoint]: MariaDB init process done. Ready for start up.\n\n'
}

case "${1:-}" in -*) set -- mariadbd "$@" ;; esac

if [ "${1:-}" = mariadbd ] || [ "${1:-}" = mysqld ]; then
	if [ "$(id -u)" = 0 ]; then
		find "$datadir" /run/mysqld \! -user mysql -exec chown mysql '{}' +
		exec /usr/bin/setpriv --reuid=mysql --regid=mysql --clear-groups "$0" "$@"
	fi
	if [ ! -d "$datadir/mysql" ]; then
		from_file ROOT_PASSWORD
		from_file ROOT_PASSWORD_HASH
		from_file ROOT_HOST %
		from_file ALLOW_EMPTY_ROOT_PASSWORD "${MYSQL_ALLOW_EMPTY_PASSWORD:-}"
		from_file RANDOM_ROOT_PASSWORD
		from_file DATABASE
		from_file USER
		USER_NAME=$USER
		from_file PASSWORD
		from_file PASSWORD_HASH
		initialise "$@"
	fi
fi
exec "$@"
