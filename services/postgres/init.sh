#!/bin/sh
# Roles and databases, with the superuser's password of .env, or the one before it.
set -eu

sql() { # password, psql's arguments
  export PGPASSWORD="$1"
  shift
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 "$@"
}

if [ -n "$POSTGRES_PASSWORD_BEFORE" ] && sql "$POSTGRES_PASSWORD_BEFORE" --command="SELECT" >/dev/null 2>&1; then
  sql "$POSTGRES_PASSWORD_BEFORE" --file=/init.sql
else
  sql "$POSTGRES_PASSWORD" --file=/init.sql
fi
