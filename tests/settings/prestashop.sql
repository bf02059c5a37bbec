-- As db_structure.sql and productcomments' install.sql create them; only the columns that matter here.
CREATE TABLE ps_country (id_country int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, iso_code varchar(3) NOT NULL);
CREATE TABLE ps_address (
    id_address int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_country int unsigned NOT NULL,
    id_customer int unsigned NOT NULL DEFAULT 0, deleted tinyint(1) unsigned NOT NULL DEFAULT 0
);
CREATE TABLE ps_customer (
    id_customer int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, firstname varchar(255) NOT NULL,
    lastname varchar(255) NOT NULL, email varchar(255) NOT NULL, is_guest tinyint(1) NOT NULL DEFAULT 0
);
CREATE TABLE ps_category (id_category int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_parent int unsigned NOT NULL);
CREATE TABLE ps_category_lang (
    id_category int unsigned NOT NULL, id_shop int unsigned NOT NULL DEFAULT 1, id_lang int unsigned NOT NULL,
    name varchar(128) NOT NULL, PRIMARY KEY (id_category, id_shop, id_lang)
);
CREATE TABLE ps_product (id_product int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_category_default int unsigned);
CREATE TABLE ps_product_lang (
    id_product int unsigned NOT NULL, id_shop int unsigned NOT NULL DEFAULT 1, id_lang int unsigned NOT NULL,
    name varchar(128) NOT NULL, PRIMARY KEY (id_product, id_shop, id_lang)
);
CREATE TABLE ps_order_state_lang (
    id_order_state int unsigned NOT NULL, id_lang int unsigned NOT NULL, name varchar(64) NOT NULL,
    template varchar(64) NOT NULL, PRIMARY KEY (id_order_state, id_lang)
);
CREATE TABLE ps_orders (
    id_order int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, reference varchar(9), id_customer int unsigned NOT NULL,
    id_currency int unsigned NOT NULL, current_state int unsigned NOT NULL,
    total_paid_tax_incl decimal(20,6) NOT NULL DEFAULT '0.000000', valid int unsigned NOT NULL DEFAULT 0,
    date_add datetime NOT NULL
);
CREATE TABLE ps_order_detail (
    id_order_detail int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_order int unsigned NOT NULL,
    product_id int unsigned NOT NULL, product_attribute_id int unsigned DEFAULT NULL, product_name text NOT NULL,
    product_quantity int unsigned NOT NULL DEFAULT 0, unit_price_tax_incl decimal(20,6) NOT NULL DEFAULT '0.000000'
);
CREATE TABLE ps_product_comment (
    id_product_comment int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, id_product int unsigned NOT NULL,
    id_customer int unsigned NOT NULL, grade float unsigned NOT NULL, validate tinyint(1) NOT NULL,
    deleted tinyint(1) NOT NULL, date_add datetime NOT NULL
);

INSERT INTO ps_country VALUES (1, 'IN'), (2, 'DE'), (3, 'FR');
INSERT INTO ps_address VALUES (1, 3, 1, 1), (2, 1, 1, 0), (3, 2, 2, 0), (4, 3, 2, 0);
INSERT INTO ps_customer VALUES (1, 'Asha', 'Rao', 'asha@example.com', 0), (2, 'Ben', 'Kurz', 'ben@example.com', 1);
INSERT INTO ps_category VALUES (1, 0), (2, 1), (3, 1);
INSERT INTO ps_category_lang VALUES (1, 1, 1, 'Root'), (2, 1, 1, 'Books'), (2, 1, 2, 'Livres'), (3, 1, 1, 'Gifts');
INSERT INTO ps_product VALUES (1, 2), (2, 3);
INSERT INTO ps_product_lang VALUES (1, 1, 1, 'Atlas'), (1, 1, 2, 'Atlas du monde'), (2, 1, 1, 'Mug'), (2, 2, 1, 'Cup');
INSERT INTO ps_order_state_lang VALUES
    (2, 1, 'Payment accepted', 'payment'), (2, 2, 'Paiement accepté', 'payment'), (5, 1, 'Delivered', ''),
    (6, 1, 'Canceled', 'order_canceled'), (6, 2, 'Annulé', 'order_canceled'), (8, 1, 'Payment error', 'payment_error');
-- The first is of half past one on the first of February in the shop.
INSERT INTO ps_orders VALUES
    (1, 'A', 1, 1, 2, 55.000000, 1, '2024-02-01 01:30:00'), (2, 'B', 1, 1, 5, 20.004000, 1, '2024-01-31 23:30:00'),
    (3, 'C', 2, 1, 2, 12.500000, 1, '2024-02-03 15:30:00'), (4, 'D', 2, 1, 6, 99.000000, 0, '2024-02-04 15:30:00'),
    (5, 'E', 1, 1, 8, 30.000000, 0, '2024-02-05 15:30:00');
INSERT INTO ps_order_detail VALUES
    (1, 1, 1, 0, 'Atlas', 2, 20.000000), (2, 1, 1, 4, 'Atlas - hardback', 1, 10.000000), (3, 2, 2, 0, 'Mug', 4, 5.000000),
    (4, 3, 2, 0, 'Mug', 2, 5.000000), (5, 4, 1, 0, 'Atlas', 9, 11.000000), (6, 5, 1, 0, 'Atlas', 1, 30.000000);
INSERT INTO ps_product_comment VALUES
    (1, 1, 1, 5, 1, 0, '2024-02-02'), (2, 2, 1, 2, 1, 0, '2024-02-02'), (3, 2, 2, 1, 0, 0, '2024-02-02'),
    (4, 2, 0, 1, 1, 0, '2024-02-02');
