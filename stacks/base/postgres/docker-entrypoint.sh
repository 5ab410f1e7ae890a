#!/bin/bash
# Makes the database where there is none, then becomes the server.
#
# A first start can be cut off at any point. The new cluster is therefore made beside its place, with everything that
# POSTGRES_* and /docker-entrypoint-initdb.d ask for, and a file in it says that it is whole only at the very end: one that
# lacks it is begun anew. A cluster that is whole is never touched.
set -Eeuo pipefail

unfinished=.wherry-initialising

die() { printf 'postgres: %s\n' "$*" >&2; exit 1; }
say() { printf 'postgres: %s\n' "$*"; }

# NAME or the file that NAME_FILE names; not both.
setting() {
  local name=$1 file=$1_FILE default=${2-}
  [ -z "${!name-}" ] || [ -z "${!file-}" ] || die "both $name and $file are set: set one of them"
  if [ -n "${!name-}" ]; then export "$name=${!name}"
  elif [ -n "${!file-}" ]; then
    [ -r "${!file}" ] || die "cannot read $file (${!file}) as uid $(id -u)"
    export "$name=$(<"${!file}")"
  else export "$name=$default"; fi
  unset "$file"
}

client() { psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password "$@"; }

run_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then say "running $file"; "$file"; else say "sourcing $file"; . "$file"; fi ;;
      *.sql) say "running $file"; client --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) say "running $file"; gunzip -c "$file" | client --dbname "$POSTGRES_DB" ;;
      *.sql.xz) say "running $file"; xzcat "$file" | client --dbname "$POSTGRES_DB" ;;
      *.sql.zst) say "running $file"; zstd -dc "$file" | client --dbname "$POSTGRES_DB" ;;
      '/docker-entrypoint-initdb.d/*') ;;
      *) say "ignoring $file" ;;
    esac
  done
}

initialise() {
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    die 'no password for the superuser. Give one: -e POSTGRES_PASSWORD=…, or POSTGRES_PASSWORD_FILE=/run/secrets/…
(POSTGRES_HOST_AUTH_METHOD=trust lets everybody in who can reach the port.)'
  fi
  # What the first start left when it was cut off, and nothing else.
  if [ -e "$PGDATA/$unfinished" ]; then
    say 'the first start did not finish: beginning anew'
    find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name "$unfinished" -exec rm -rf {} +
  fi
  local entry
  for entry in "$PGDATA"/* "$PGDATA"/.[!.]*; do
    case ${entry##*/} in '*' | '.[!.]*' | "$unfinished" | lost+found) ;; *) die "$PGDATA is not empty and holds no database: move ${entry##*/} away" ;; esac
  done
  : > "$PGDATA/$unfinished"
  sync "$PGDATA/$unfinished" "$PGDATA"
  # initdb wants an empty folder: the cluster is made in one of its own and moved up, PG_VERSION last.
  local new=$PGDATA/new
  say 'making the database'
  # shellcheck disable=SC2086 -- several words
  initdb --pgdata "$new" --username "$POSTGRES_USER" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local trust \
    --auth-host "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" $POSTGRES_INITDB_ARGS
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$new/pg_hba.conf"
  # By the socket only: nobody from outside finds a database that is half made.
  PGDATA=$new pg_ctl -w -s start -o "-c listen_addresses='' -c unix_socket_directories=/tmp -c unix_socket_permissions=0700" "$@"
  export PGHOST=/tmp PGDATABASE=postgres
  if [ "$POSTGRES_DB" != postgres ]; then
    client --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
  fi
  PGPASSWORD=$POSTGRES_PASSWORD PGUSER=$POSTGRES_USER run_scripts
  unset PGHOST PGDATABASE
  PGDATA=$new pg_ctl -w -s -m fast stop
  find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
  sync -f "$PGDATA"
  mv "$new/PG_VERSION" "$PGDATA/PG_VERSION"
  rmdir "$new"
  sync "$PGDATA"
  rm "$PGDATA/$unfinished"
  sync "$PGDATA"
  say 'the database is made'
}

if [ "${1:-}" = '' ] || [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ] && ! printf '%s\n' "$@" | grep -qxE -- '--help|-\?|--version|-V|--describe-config|-C'; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    # Only what is another's: a walk over a large database is not free, and --cap-drop may have taken chown.
    find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
    chmod 700 "$PGDATA" 2>/dev/null || true
    find /var/run/postgresql \! -user postgres -exec chown postgres '{}' + || true
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA" 2>/dev/null || true
  [ -w "$PGDATA" ] || die "$PGDATA is not writable for uid $(id -u): it belongs to uid $(stat -c %u "$PGDATA")"
  if [ -s "$PGDATA/PG_VERSION" ]; then
    [ "$(<"$PGDATA/PG_VERSION")" = "$PG_MAJOR" ] ||
      die "$PGDATA is of PostgreSQL $(<"$PGDATA/PG_VERSION"), this is $PG_MAJOR: dump it with the former and load it here"
    # Power failed between the last two steps of the first start: the database is whole.
    if [ -e "$PGDATA/$unfinished" ]; then rmdir "$PGDATA/new" 2>/dev/null || true; rm -f "$PGDATA/$unfinished"; fi
  else
    initialise
  fi
  unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE
fi
exec "$@"
