#!/bin/sh
# Makes what a cluster keeps secret, in one folder for each of those who read it. What is there already is kept, so it
# can run again at any time.
#
#   make-secrets.sh DIRECTORY
#
# STORE_ADDRESS (host, port and database of the store) and SERVER_NAME (the name in the certificate) may be set.
set -eu

directory=$1
store_address=${STORE_ADDRESS:-mysql:3306/holdfast}
server_name=${SERVER_NAME:-localhost}
mkdir -p "$directory/mysql" "$directory/migrate" "$directory/store" "$directory/controller" "$directory/client" "$directory/tls"

# Readers run as users of their own, and see only their own folder.
umask 022

# Writes stdin to a file, whole or not at all.
keep() {
  cat > "$1.new"
  mv "$1.new" "$1"
}

secret() {
  [ -s "$1" ] || openssl rand -hex 32 | keep "$1"
}

secret "$directory/mysql/root-password"
secret "$directory/mysql/migrate-password"
secret "$directory/mysql/app-password"
secret "$directory/controller/token"
secret "$directory/controller/read-token"
secret "$directory/client/hmac-secret"
printf 'mysql://holdfast_migrate:%s@%s\n' "$(cat "$directory/mysql/migrate-password")" "$store_address" | keep "$directory/migrate/store-url"
printf 'mysql://holdfast:%s@%s\n' "$(cat "$directory/mysql/app-password")" "$store_address" | keep "$directory/store/store-url"

# A certificate for trying things out, and the authority to trust for it. The authority's key is not kept. In earnest,
# put a certificate of your own and its key into site.pem.
if ! [ -s "$directory/tls/site.pem" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  new_key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  # shellcheck disable=SC2086
  openssl req -x509 $new_key -keyout "$work/ca.key" -out "$work/ca.pem" -days 365 -subj '/CN=Holdfast test authority' 2> "$work/log"
  # shellcheck disable=SC2086
  openssl req $new_key -keyout "$work/site.key" -out "$work/site.csr" -subj "/CN=$server_name" 2> "$work/log"
  printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$server_name" > "$work/names"
  openssl x509 -req -in "$work/site.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
    -days 365 -extfile "$work/names" -out "$work/site.crt" 2> "$work/log"
  keep "$directory/tls/ca.pem" < "$work/ca.pem"
  cat "$work/site.crt" "$work/site.key" | keep "$directory/tls/site.pem"
fi
