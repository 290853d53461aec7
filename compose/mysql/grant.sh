# Run after every migration: lets workers and controllers do with the tables what they do, and nothing more.
set -eu
MYSQL_PWD=$(cat "${SECRETS:-/run/secrets/mysql}/root-password") mysql --user=root < "${1:?the file with the grants}"
