#!/bin/sh
# Starts PostgreSQL as the official image does: docker-library/postgres,
# docker-entrypoint.sh. Different here: locales, and a user without an entry in
# /etc/passwd cannot make a database.
set -eu

# from_file NAME [DEFAULT]: a variable may stand in a file that NAME_FILE names.
from_file() {
	eval "value=\${$1:-}; file=\${$1_FILE:-}"
	if [ -n "$value" ] && [ -n "$file" ]; then
		echo >&2 "error: both $1 and $1_FILE are set (but are exclusive)"
		exit 1
	fi
	if [ -n "$file" ]; then value=$(cat "$file"); fi
	export "$1=${value:-${2:-}}"
	unset "$1_FILE"
}

sql() {
	PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"
}

quoted() {
	for word; do printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
}

require_password() {
	if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
		cat >&2 <<-'END'
			Error: Database is uninitialized and superuser password is not specified.
			       You must specify POSTGRES_PASSWORD to a non-empty value for the
			       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

			       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
			       connections without a password. This is *not* recommended.
		END
		exit 1
	fi
}

make_database() {
	password=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
	if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
		set -- --waldir "$POSTGRES_INITDB_WALDIR"
	else
		set --
	fi
	eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=\"\$password\" ${POSTGRES_INITDB_ARGS:-} \"\$@\""
	rm "$password"
}

allow_hosts() {
	method=$POSTGRES_HOST_AUTH_METHOD
	if [ -z "$method" ]; then method=$(postgres -C password_encryption "$@"); fi
	printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_init_files() {
	for file; do
		case "$file" in
		*.sh)
			echo "$0: running $file"
			if [ -x "$file" ]; then "$file"; else . "$file"; fi
			;;
		*.sql) echo "$0: running $file"; sql --dbname "$POSTGRES_DB" -f "$file" ;;
		*.sql.gz) echo "$0: running $file"; gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
		*.sql.xz) echo "$0: running $file"; xzcat "$file" | sql --dbname "$POSTGRES_DB" ;;
		*) echo "$0: ignoring $file" ;;
		esac
		echo
	done
}

initialise() {
	shift # the program's own name
	require_password
	make_database
	allow_hosts "$@"
	export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
	# Nobody outside reaches the server before all of its data is there.
	pg_ctl -D "$PGDATA" -o "$(quoted "$@" -c listen_addresses= -p "${PGPORT:-5432}")" -w start
	if [ -z "$(sql --dbname postgres --set "db=$POSTGRES_DB" --tuples-only <<-'END'
		SELECT 1 FROM pg_database WHERE datname = :'db';
	END
	)" ]; then
		sql --dbname postgres --set "db=$POSTGRES_DB" <<-'END'
			CREATE DATABASE :"db";
		END
	fi
	run_init_files $(find /docker-entrypoint-initdb.d -mindepth 1 -maxdepth 1 | sort)
	pg_ctl -D "$PGDATA" -m fast -w stop
	unset PGPASSWORD
	printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac

if [ "${1:-}" = postgres ]; then
	from_file POSTGRES_PASSWORD
	from_file POSTGRES_USER postgres
	from_file POSTGRES_DB "$POSTGRES_USER"
	from_file POSTGRES_INITDB_ARGS
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA" || :
	if [ "$(id -u)" = 0 ]; then
		find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
		chown postgres /run/postgresql
		export HOME=/var/lib/postgresql
		exec /usr/bin/setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
	fi
	if [ -s "$PGDATA/PG_VERSION" ]; then
		printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
	else
		initialise "$@"
	fi
fi
exec "$@"
