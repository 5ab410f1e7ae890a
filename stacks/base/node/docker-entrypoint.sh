#!/bin/sh
# `docker run node file.js` and `docker run node --version` run node; a program of the image runs as it is.
set -e
case ${1-} in
  '') ;;
  -*) set -- node "$@" ;;
  *) command -v "$1" >/dev/null 2>&1 || set -- node "$@" ;;
esac
exec "$@"
