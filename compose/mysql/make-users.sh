# Run once, by the image of MySQL on a new data directory: the database, and a user each for migrations and for
# everything else. What the first may do is here, as in store/mysql/grants.ts; the second gets its grants from
# grants.sql, which needs the tables.

secrets=${SECRETS:-/run/secrets/mysql}

MYSQL_PWD=$(cat "$secrets/root-password") mysql --user=root << SQL
CREATE DATABASE holdfast CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER 'holdfast_migrate'@'%' IDENTIFIED BY '$(cat "$secrets/migrate-password")';
GRANT SELECT, INSERT, UPDATE, CREATE, ALTER, DROP, INDEX ON \`holdfast\`.* TO 'holdfast_migrate'@'%';
CREATE USER 'holdfast'@'%' IDENTIFIED BY '$(cat "$secrets/app-password")';
SQL
