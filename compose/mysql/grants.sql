-- What workers and controllers may do, as store/mysql/grants.ts has it.
GRANT SELECT ON `holdfast`.`schema_version` TO 'holdfast'@'%';
GRANT SELECT, INSERT ON `holdfast`.`slot_group` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`namespace` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`lease` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `holdfast`.`producer` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`tombstone` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `holdfast`.`outbox` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `holdfast`.`channel` TO 'holdfast'@'%';
GRANT SELECT, INSERT ON `holdfast`.`message` TO 'holdfast'@'%';
GRANT SELECT, INSERT ON `holdfast`.`message_key` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON `holdfast`.`interest` TO 'holdfast'@'%';
GRANT INSERT ON `holdfast`.`dead_letter` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`serving` TO 'holdfast'@'%';
GRANT SELECT, UPDATE ON `holdfast`.`leader` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`proxy_instance` TO 'holdfast'@'%';
GRANT SELECT, INSERT, UPDATE ON `holdfast`.`document` TO 'holdfast'@'%';
GRANT SELECT, INSERT, DELETE ON `holdfast`.`document_revision` TO 'holdfast'@'%';
GRANT SELECT, INSERT, DELETE ON `holdfast`.`audit` TO 'holdfast'@'%';
