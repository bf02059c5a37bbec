-- As the modules' db_schema.xml declare them; only the columns that matter here.
CREATE TABLE eav_entity_type (entity_type_id smallint unsigned NOT NULL PRIMARY KEY, entity_type_code varchar(50) NOT NULL);
CREATE TABLE eav_attribute (
    attribute_id smallint unsigned NOT NULL PRIMARY KEY, entity_type_id smallint unsigned NOT NULL,
    attribute_code varchar(255) NOT NULL
);
CREATE TABLE catalog_category_entity (entity_id int unsigned NOT NULL PRIMARY KEY, parent_id int unsigned NOT NULL);
CREATE TABLE catalog_category_entity_varchar (
    value_id int NOT NULL PRIMARY KEY, attribute_id smallint unsigned NOT NULL, store_id smallint unsigned NOT NULL,
    entity_id int unsigned NOT NULL, value varchar(255)
);
CREATE TABLE catalog_product_entity (entity_id int unsigned NOT NULL PRIMARY KEY, sku varchar(64) NOT NULL);
CREATE TABLE catalog_product_entity_varchar LIKE catalog_category_entity_varchar;
CREATE TABLE catalog_category_product (
    entity_id int NOT NULL PRIMARY KEY, category_id int unsigned NOT NULL, product_id int unsigned NOT NULL, position int
);
CREATE TABLE customer_address_entity (entity_id int unsigned NOT NULL PRIMARY KEY, country_id varchar(255) NOT NULL);
CREATE TABLE customer_entity (
    entity_id int unsigned NOT NULL PRIMARY KEY, email varchar(255), firstname varchar(255), lastname varchar(255),
    default_billing int unsigned, default_shipping int unsigned
);
CREATE TABLE sales_order (
    entity_id int unsigned NOT NULL PRIMARY KEY, state varchar(32), status varchar(32), customer_id int unsigned,
    base_grand_total decimal(20,4), customer_is_guest smallint unsigned,
    customer_email varchar(128), created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE sales_order_item (
    item_id int unsigned NOT NULL PRIMARY KEY, order_id int unsigned NOT NULL, parent_item_id int unsigned,
    product_id int unsigned, product_type varchar(255), qty_ordered decimal(12,4), base_price decimal(12,4),
    base_price_incl_tax decimal(20,4)
);
CREATE TABLE review_entity (entity_id smallint unsigned NOT NULL PRIMARY KEY, entity_code varchar(32) NOT NULL);
CREATE TABLE review (
    review_id bigint unsigned NOT NULL PRIMARY KEY, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    entity_id smallint unsigned NOT NULL, entity_pk_value int unsigned NOT NULL, status_id smallint unsigned NOT NULL
);
CREATE TABLE review_detail (
    detail_id bigint unsigned NOT NULL PRIMARY KEY, review_id bigint unsigned NOT NULL, customer_id int unsigned
);
CREATE TABLE rating_option_vote (
    vote_id bigint unsigned NOT NULL PRIMARY KEY, rating_id smallint unsigned NOT NULL, review_id bigint unsigned,
    percent smallint NOT NULL, value smallint NOT NULL
);

INSERT INTO eav_entity_type VALUES (3, 'catalog_category'), (4, 'catalog_product');
INSERT INTO eav_attribute VALUES (45, 3, 'name'), (46, 3, 'url_key'), (73, 4, 'name');
INSERT INTO catalog_category_entity VALUES (1, 0), (2, 1), (3, 1);
INSERT INTO catalog_category_entity_varchar VALUES
    (1, 45, 0, 1, 'Root'), (2, 45, 0, 2, 'Books'), (3, 45, 1, 2, 'Bücher'), (4, 46, 0, 2, 'books'), (5, 45, 0, 3, 'Gifts');
INSERT INTO catalog_product_entity VALUES (1, 'atlas'), (2, 'mug'), (3, 'atlas-hardback');
INSERT INTO catalog_product_entity_varchar VALUES (1, 73, 0, 1, 'Atlas'), (2, 73, 0, 2, 'Mug'), (3, 73, 0, 3, 'Atlas, hardback');
INSERT INTO catalog_category_product VALUES (1, 3, 1, 0), (2, 2, 1, 0), (3, 3, 2, 0);
INSERT INTO customer_address_entity VALUES (1, 'IN'), (2, 'DE');
INSERT INTO customer_entity VALUES
    (1, 'asha@example.com', 'Asha', 'Rao', 1, NULL), (2, 'ben@example.com', 'Ben', 'Kurz', NULL, 2),
    (3, 'cy@example.com', NULL, NULL, NULL, NULL);
-- The first is of half past one on the first of February in Pune. Two guests', one of them Ben; a cancelled and a
-- refunded one.
INSERT INTO sales_order VALUES
    (1, 'complete', 'complete', 1, 55.0000, 0, 'asha@example.com', '2024-01-31 20:00:00'), (2, 'processing', 'processing', 1, 20.0000, 0, 'asha@example.com', '2024-01-31 18:00:00'),
    (3, 'new', 'pending', 2, 12.5000, 0, 'ben@example.com', '2024-02-03 10:00:00'), (4, 'canceled', 'canceled', 2, 99.0000, 0, 'ben@example.com', '2024-02-04 10:00:00'),
    (5, 'complete', 'complete', NULL, 30.0000, 1, 'guest@example.com', '2024-02-05 10:00:00'), (6, 'closed', 'closed', 1, 70.0000, 0, 'asha@example.com', '2024-02-06 10:00:00'),
    (7, 'complete', 'complete', NULL, 3.0000, 1, ' Guest@Example.com', '2024-02-07 10:00:00'),
    (8, 'complete', 'complete', NULL, 4.0000, 1, 'BEN@example.com', '2024-02-08 10:00:00');
INSERT INTO sales_order_item VALUES
    (1, 1, NULL, 1, 'configurable', 2.0000, 16.8100, 20.0000), (2, 1, 1, 3, 'simple', 2.0000, 0.0000, NULL),
    (3, 1, NULL, 1, 'simple', 1.0000, 10.0000, NULL), (4, 2, NULL, 2, 'simple', 4.0000, 4.2000, 5.0000),
    (5, 3, NULL, 2, 'simple', 2.0000, 5.0000, 5.0000), (6, 4, NULL, 1, 'simple', 9.0000, 11.0000, 11.0000),
    (7, 5, NULL, 1, 'simple', 1.0000, 30.0000, 30.0000), (8, 6, NULL, 1, 'simple', 7.0000, 10.0000, 10.0000);
INSERT INTO review_entity VALUES (1, 'product'), (2, 'customer');
INSERT INTO review VALUES
    (1, '2024-02-02 10:00:00', 1, 1, 1), (2, '2024-02-02 10:00:00', 1, 2, 1), (3, '2024-02-02 10:00:00', 1, 2, 2), (4, '2024-02-02 10:00:00', 1, 2, 1);
INSERT INTO review_detail VALUES (1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, NULL);
INSERT INTO rating_option_vote VALUES
    (1, 1, 1, 100, 5), (2, 2, 1, 100, 5), (3, 1, 2, 40, 2), (4, 2, 2, 20, 1), (5, 3, 2, 60, 3), (6, 1, 3, 20, 1), (7, 1, 4, 20, 1);
