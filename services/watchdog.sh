#!/bin/sh
# watchdog.sh COMMAND...: a container's health check that also ends a container which hangs.
#
# Docker starts a container anew when it ends, not when it answers no more. When all checks of
# WATCHDOG_SECONDS failed or never came back, five of them at least, everything in the container is
# killed, and its restart policy does the rest (the container needs an init). A check that ends with
# 3 found the fault elsewhere and does not count; nor does one before the first that went well.
set -u

file=${TMPDIR:-/tmp}/.watchdog
read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ began _ </proc/1/stat
read -r now _ </proc/uptime
now=${now%.*}
life='' since='' failures=''
[ -r "$file" ] && read -r life since failures <"$file"
if [ "$life" = "$began" ]; then
  # Counted before the question: Docker kills a check that takes too long.
  failures=${failures}x
  echo "$life $since $failures" >"$file"
  if [ $((now - since)) -gt "${WATCHDOG_SECONDS:-300}" ] && [ ${#failures} -gt 5 ]; then
    echo "watchdog: unhealthy for $((now - since)) s, killed to start anew" >/proc/1/fd/2
    kill -9 -1
  fi
fi
"$@"
code=$?
case $code in
  0) echo "$began $now " >"$file" ;;
  3) [ "$life" = "$began" ] && echo "$began $now " >"$file" ;;
esac
exit "$code"
