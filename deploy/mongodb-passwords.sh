#!/bin/sh
# Prints a new password for each of MongoDB's users, one NAME=value a line, for components/mongodb:
#
#   sh deploy/mongodb-passwords.sh | kubectl create secret generic mongodb-passwords --from-env-file=/dev/stdin -n NAMESPACE
set -eu
for user in projects tasks commands webhooks realtime; do
  echo "$user=$(head -c 24 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_')"
done
