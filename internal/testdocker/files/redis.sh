#!/bin/sh
# Starts Redis as the official image does: docker-library/redis,
# docker-entrypoint.sh. That image is built to accept everyone's connections,
# where no configuration says otherwise; Debian's is told to.
set -e

case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac

if [ "$1" = redis-server ]; then
	if [ "$(id -u)" = 0 ]; then
		find . \! -user redis -exec chown redis '{}' +
		exec /usr/bin/setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
	fi
	case "$2" in
	*.conf) grep -q '^ *protected-mode' "$2" || set -- "$@" --protected-mode no ;;
	*)
		case " $* " in *" --protected-mode "*) ;; *) set -- "$@" --protected-mode no ;; esac
		;;
	esac
	if [ "$(umask)" = 0022 ]; then umask 0077; fi
fi
exec "$@"
