-- What shopsight needs of MySQL or MariaDB, and no more: a user that may read the six tables of a database.
--
--     mariadb --user=root --password shop < grants-mysql.sql
--     mariadb --user=root --password --execute="ALTER USER shopsight_reader IDENTIFIED BY '…' ACCOUNT UNLOCK"
--
-- The user stays locked until it has a password. Running the file again changes nothing. For one host alone, write
-- shopsight_reader@'10.0.0.5'.

CREATE USER IF NOT EXISTS shopsight_reader ACCOUNT LOCK;

GRANT SELECT ON categories TO shopsight_reader;
GRANT SELECT ON products TO shopsight_reader;
GRANT SELECT ON customers TO shopsight_reader;
GRANT SELECT ON orders TO shopsight_reader;
GRANT SELECT ON order_items TO shopsight_reader;
GRANT SELECT ON reviews TO shopsight_reader;
