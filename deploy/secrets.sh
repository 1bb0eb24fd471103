#!/bin/sh
# Prints new secrets, one NAME=value a line, as the settings of the README's table name them.
#
#   sh deploy/secrets.sh > deploy/.env                                                        for deploy/compose.yaml
#   sh deploy/secrets.sh | kubectl create secret generic claude-cli --from-env-file=/dev/stdin -n NAMESPACE
#
# With addresses of stores that are not in the cluster: MONGODB_URI=… AMQP_URL=… REDIS_URL=… sh deploy/secrets.sh
set -eu
umask 077
secret() { head -c "$1" /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_'; }
redis=$(secret 24)
echo "ADMIN_PASSWORD=${ADMIN_PASSWORD:-$(secret 15)}"
echo "JWT_SECRET=$(secret 48)"
echo "SERVICE_SECRET=$(secret 48)"
echo "WEBHOOK_ENCRYPTION_KEY=$(secret 48)"
echo "REDIS_PASSWORD=$redis"
echo "REDIS_URL=${REDIS_URL:-redis://:$redis@redis:6379}"
echo "RABBITMQ_PASSWORD=$(secret 24)"
if [ -n "${MONGODB_URI:-}" ]; then echo "MONGODB_URI=$MONGODB_URI"; fi
if [ -n "${AMQP_URL:-}" ]; then echo "AMQP_URL=$AMQP_URL"; fi
