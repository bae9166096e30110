#!/usr/bin/env bash
# Installs what the tests need on Debian and its relatives, and nothing when all
# of it is there. Elsewhere it prints what to install. Run it as root, or as a
# user who may sudo; nothing that it installs is started.
set -euo pipefail
cd "$(dirname "$0")/.."

# program → Debian package; several programs, where any of them will do.
needed=(
	"initdb postgresql"
	"psql postgresql-client"
	"redis-server redis-server"
	"nats-server nats-server"
	"mariadbd mariadb-server"
	"mkfs.xfs xfsprogs"
	"memcached memcached"
	"nginx nginx-light"
	"rabbitmq-server rabbitmq-server"
	"chromium,chromium-browser,google-chrome chromium"
	"node nodejs"
	"npm npm"
	"gcc gcc"
	"curl curl"
	"dockerd docker.io"
	"iptables iptables"
	"busybox busybox-static"
	"setpriv util-linux"
)

have() {
	local program
	for program in ${1//,/ }; do
		if PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$program" >/dev/null; then return; fi
		if compgen -G "/usr/lib/postgresql/*/bin/$program" >/dev/null; then return; fi
	done
	return 1
}

missing=()
for line in "${needed[@]}"; do
	read -r programs package <<<"$line"
	have "$programs" || missing+=("$package")
done
# gcc without the C library's headers cannot build the race detector's runtime.
if command -v dpkg >/dev/null && [ ! -e /usr/include/stdlib.h ]; then missing+=(libc6-dev); fi

install() {
	local sudo=()
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "ci-setup: not root, and there is no sudo. Install: ${missing[*]}" >&2
			return 1
		fi
		sudo=(sudo --preserve-env=http_proxy,https_proxy,no_proxy)
	fi
	# Packages ask this file whether their service may start.
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
		"${sudo[@]}" chmod 755 "$policy"
		# shellcheck disable=SC2064 # both are what they are now
		trap "${sudo[*]} rm -f $policy" EXIT
	fi
	echo "ci-setup: installing ${missing[*]}"
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

if [ ${#missing[@]} -gt 0 ]; then
	if command -v apt-get >/dev/null; then
		install
	else
		echo "ci-setup: not a Debian. The tests also want what Debian calls: ${missing[*]}" >&2
		echo "ci-setup: tests that need one of them are skipped, and make test says so and fails" >&2
	fi
fi

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Schemas that nobody here wrote, out of Debian's packages, which are unpacked and
# not installed: bin/schemas/usr/share.
schemas=(zabbix-server-pgsql icingadb mediawiki request-tracker5 bacula-director-pgsql)
if [ "$(cat bin/schemas/.unpacked 2>/dev/null)" != "${schemas[*]}" ]; then
	if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
		echo "ci-setup: unpacking the schemas of ${schemas[*]}"
		packages=$(mktemp -d)
		# apt's own user may want to write here.
		chmod 755 "$packages"
		(cd "$packages" && apt-get download -qq "${schemas[@]}" 2>/dev/null) ||
			{ as_root apt-get update -qq && (cd "$packages" && apt-get download -qq "${schemas[@]}" 2>/dev/null); }
		rm -rf bin/schemas && mkdir -p bin/schemas
		for package in "$packages"/*.deb; do
			dpkg-deb --fsys-tarfile "$package" | tar -x -C bin/schemas --wildcards './usr/share/*schema*' './usr/share/*.sql*' './usr/share/dbconfig-common/*' './usr/share/mediawiki/maintenance/*' './usr/share/request-tracker5/etc/*' 2>/dev/null || true
		done
		rm -rf "$packages"
		echo "${schemas[*]}" >bin/schemas/.unpacked
	else
		echo "ci-setup: not a Debian. Tests of foreign schemas want these packages of Debian's: ${schemas[*]}" >&2
	fi
fi

# What the tests of JavaScript need, as their lock files say.
for dir in examples/docgen/e2e internal/toxiproxy/compat/node internal/telemetry/compat/node; do
	if command -v npm >/dev/null && ! cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed"; then
		echo "ci-setup: npm ci in $dir"
		(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed)
	fi
done
