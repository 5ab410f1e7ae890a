#!/bin/sh
# Names are answered by the engine. The backend's last address is kept for the moments in which the engine restarts.
set -eu

remember() {
  address=$(getent ahostsv4 backend | awk '{ print $1; exit }') || return 1
  [ -n "$address" ] || return 1
  printf 'server %s:8000;\n' "$address" > /tmp/backend.new
  cmp -s /tmp/backend.new /tmp/backend.conf && return 1
  mv /tmp/backend.new /tmp/backend.conf
}

remember || printf 'server 127.0.0.1:8000;\n' > /tmp/backend.conf
(while sleep 10; do if remember; then nginx -s reload; fi; done) &
exec "$@"
