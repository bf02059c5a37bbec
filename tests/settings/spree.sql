-- Columns and types as core/db/migrate of spree/spree leaves them on PostgreSQL; only those that matter here.
CREATE TABLE spree_countries (id bigserial PRIMARY KEY, iso_name varchar, iso varchar, iso3 varchar, name varchar);
CREATE TABLE spree_addresses (
    id bigserial PRIMARY KEY, firstname varchar, lastname varchar, city varchar, country_id bigint, user_id bigint
);
CREATE TABLE spree_users (
    id bigserial PRIMARY KEY, encrypted_password varchar(128), email varchar, login varchar,
    ship_address_id bigint, bill_address_id bigint, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL
);
CREATE TABLE spree_taxons (id bigserial PRIMARY KEY, parent_id bigint, name varchar NOT NULL, position integer DEFAULT 0);
CREATE TABLE spree_products (
    id bigserial PRIMARY KEY, name varchar NOT NULL DEFAULT '', description text, deleted_at timestamp(6)
);
CREATE TABLE spree_products_taxons (id bigserial PRIMARY KEY, product_id bigint, taxon_id bigint, position integer);
CREATE TABLE spree_variants (id bigserial PRIMARY KEY, sku varchar NOT NULL DEFAULT '', product_id bigint, is_master boolean);
CREATE TABLE spree_orders (
    id bigserial PRIMARY KEY, number varchar(32), item_total numeric(10,2) NOT NULL DEFAULT 0,
    total numeric(10,2) NOT NULL DEFAULT 0, state varchar, user_id bigint, completed_at timestamp(6),
    email varchar, currency varchar, created_at timestamp(6) NOT NULL
);
CREATE TABLE spree_line_items (
    id bigserial PRIMARY KEY, variant_id bigint, order_id bigint, quantity integer NOT NULL,
    price numeric(10,2) NOT NULL, currency varchar
);
CREATE TABLE spree_reviews (
    id bigserial PRIMARY KEY, product_id bigint, name varchar, rating integer, title varchar, review text,
    approved boolean DEFAULT false, created_at timestamp(6), updated_at timestamp(6), user_id bigint
);

INSERT INTO spree_countries VALUES (1, 'INDIA', 'IN', 'IND', 'India'), (2, 'GERMANY', 'DE', 'DEU', 'Germany');
INSERT INTO spree_addresses VALUES (1, 'Asha', 'Rao', 'Pune', 1, 1), (2, 'Ben', 'Kurz', 'Bonn', 2, 2);
INSERT INTO spree_users VALUES
    (1, 'x', 'asha@example.com', 'asha', NULL, 1, '2023-01-01', '2023-01-01'),
    (2, 'x', 'ben@example.com', 'ben', 2, NULL, '2023-01-01', '2023-01-01'),
    (3, 'x', 'cy@example.com', 'cy', NULL, NULL, '2023-01-01', '2023-01-01');
INSERT INTO spree_taxons VALUES (1, NULL, 'Categories', 0), (2, 1, 'Books', 1), (3, 1, 'Gifts', 2);
INSERT INTO spree_products VALUES (1, 'Atlas', NULL, NULL), (2, 'Mug', NULL, NULL);
INSERT INTO spree_products_taxons VALUES (1, 1, 3, 1), (2, 1, 2, 1);
INSERT INTO spree_variants VALUES (1, 'A-H', 1, true), (2, 'A-P', 1, false), (3, 'M', 2, true);
-- Half past one on the first of February in Pune; a cart; two guests', one of them Ben; a cancelled one.
INSERT INTO spree_orders VALUES
    (1, 'R1', 50, 55.00, 'complete', 1, '2024-01-31 20:00:00', 'asha@example.com', 'INR', '2024-01-31'),
    (2, 'R2', 20, 20.00, 'complete', 1, '2024-01-31 18:00:00', 'asha@example.com', 'INR', '2024-01-31'),
    (3, 'R3', 10, 12.50, 'resumed', 2, '2024-02-03 10:00:00', 'ben@example.com', 'INR', '2024-02-03'),
    (4, 'R4', 99, 99.00, 'canceled', 2, '2024-02-04 10:00:00', 'ben@example.com', 'INR', '2024-02-04'),
    (5, 'R5', 30, 30.00, 'complete', NULL, '2024-02-05 10:00:00', 'guest@example.com', 'INR', '2024-02-05'),
    (6, 'R6', 70, 70.00, 'cart', 1, NULL, NULL, 'INR', '2024-02-06'),
    (7, 'R7', 3, 3.00, 'complete', NULL, '2024-02-07 10:00:00', ' Guest@Example.com', 'INR', '2024-02-07'),
    (8, 'R8', 4, 4.00, 'complete', NULL, '2024-02-08 10:00:00', 'BEN@example.com', 'INR', '2024-02-08');
INSERT INTO spree_line_items VALUES
    (1, 1, 1, 2, 20.00, 'INR'), (2, 2, 1, 1, 10.00, 'INR'), (3, 3, 2, 4, 5.00, 'INR'), (4, 3, 3, 2, 5.00, 'INR'),
    (5, 1, 4, 9, 11.00, 'INR'), (6, 1, 5, 1, 30.00, 'INR'), (7, 1, 6, 7, 10.00, 'INR');
INSERT INTO spree_reviews VALUES
    (1, 1, 'Asha', 5, 'Good', '', true, '2024-02-02', '2024-02-02', 1),
    (2, 2, 'Asha', 2, 'Broke', '', true, '2024-02-02', '2024-02-02', 1),
    (3, 2, 'Ben', 1, 'Spam', '', false, '2024-02-02', '2024-02-02', 2);
