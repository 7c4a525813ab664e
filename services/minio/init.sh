#!/bin/sh
# Buckets, versioning, users and their policies. Runs at every `up`: what is there stays.
set -eu

mc alias set --quiet s3 http://minio:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD"

for bucket in trip-data metaflow dags; do
  mc mb --ignore-existing "s3/$bucket"
done
# A deleted dataset or deployment can be had back for a month. Metaflow's objects never change, but
# for logs that are written anew every few seconds: kept, a day of one took 140 GB.
keep_versions() { # bucket, enable or suspend, days
  mc version "$2" "s3/$1"
  echo "{\"Rules\": [{\"ID\": \"former-versions\", \"Status\": \"Enabled\",
    \"Filter\": {\"Prefix\": \"\"},
    \"NoncurrentVersionExpiration\": {\"NoncurrentDays\": $3}}]}" | mc ilm rule import "s3/$1"
}
keep_versions trip-data enable 30
keep_versions dags enable 30
keep_versions metaflow suspend 1

# Makes a prefix a DAG bundle with versions; the first deployment takes over what lies there.
for bundle in data_engineering flows; do
  mc stat "s3/dags/$bundle/bundle.json" >/dev/null 2>&1 ||
    echo '{"format": 1}' | mc pipe "s3/dags/$bundle/bundle.json"
done

user() { # policy's name, access key, secret key
  mc admin user add s3 "$2" "$3"
  mc admin policy create s3 "$1" "/policies/$1.json"
  # Attaching what is attached is refused as no change.
  mc admin policy entities s3 --user "$2" | grep -q "$1" || mc admin policy attach s3 "$1" --user "$2"
}
user de-deploy "$DE_DEPLOY_S3_KEY" "$DE_DEPLOY_S3_SECRET"
user de-run "$DE_RUN_S3_KEY" "$DE_RUN_S3_SECRET"
user ml-deploy "$ML_DEPLOY_S3_KEY" "$ML_DEPLOY_S3_SECRET"
user ml-run "$ML_RUN_S3_KEY" "$ML_RUN_S3_SECRET"
user airflow "$AIRFLOW_S3_KEY" "$AIRFLOW_S3_SECRET"
user metaflow-ui "$METAFLOW_UI_S3_KEY" "$METAFLOW_UI_S3_SECRET"

# A key that was drawn anew is another user here: the one before it opens nothing any more.
# (After `stack rotate` those before it stay until the next one: pods that run have them.)
now=":$DE_DEPLOY_S3_KEY:$DE_RUN_S3_KEY:$ML_DEPLOY_S3_KEY:$ML_RUN_S3_KEY:$AIRFLOW_S3_KEY:$METAFLOW_UI_S3_KEY:${S3_KEYS_BEFORE:-}:"
mc admin user list s3 | while read -r _ key _; do
  case "$now" in
    *":${key:-}:"*) ;;
    *) mc admin user remove s3 "$key" ;;
  esac
done
