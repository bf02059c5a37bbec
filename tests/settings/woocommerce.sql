-- As class-wc-install.php and WordPress's schema.php create them; only the columns that matter here. The prefix is shop_.
CREATE TABLE shop_terms (term_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(200) NOT NULL DEFAULT '');
CREATE TABLE shop_term_taxonomy (
    term_taxonomy_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, term_id bigint unsigned NOT NULL DEFAULT 0,
    taxonomy varchar(32) NOT NULL DEFAULT ''
);
CREATE TABLE shop_term_relationships (
    object_id bigint unsigned NOT NULL DEFAULT 0, term_taxonomy_id bigint unsigned NOT NULL DEFAULT 0,
    PRIMARY KEY (object_id, term_taxonomy_id)
);
CREATE TABLE shop_posts (
    ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, post_title text NOT NULL, post_type varchar(20) NOT NULL
);
CREATE TABLE shop_comments (
    comment_ID bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, comment_post_ID bigint unsigned NOT NULL DEFAULT 0,
    comment_author_email varchar(100) NOT NULL DEFAULT '', comment_date datetime NOT NULL,
    comment_approved varchar(20) NOT NULL DEFAULT '1', comment_type varchar(20) NOT NULL DEFAULT 'comment',
    user_id bigint unsigned NOT NULL DEFAULT 0
);
CREATE TABLE shop_commentmeta (
    meta_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, comment_id bigint unsigned NOT NULL DEFAULT 0,
    meta_key varchar(255) DEFAULT NULL, meta_value longtext
);
CREATE TABLE shop_wc_customer_lookup (
    customer_id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned DEFAULT NULL,
    username varchar(60) NOT NULL DEFAULT '', first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL,
    email varchar(100) DEFAULT NULL, date_registered timestamp NULL DEFAULT NULL, country char(2) NOT NULL DEFAULT ''
);
CREATE TABLE shop_wc_order_stats (
    order_id bigint unsigned NOT NULL PRIMARY KEY, parent_id bigint unsigned NOT NULL DEFAULT 0,
    date_created datetime NOT NULL, date_created_gmt datetime NOT NULL, num_items_sold int NOT NULL DEFAULT 0,
    total_sales double NOT NULL DEFAULT 0, net_total double NOT NULL DEFAULT 0, returning_customer tinyint(1) DEFAULT NULL,
    status varchar(200) NOT NULL, customer_id bigint unsigned NOT NULL
);
CREATE TABLE shop_wc_order_product_lookup (
    order_item_id bigint unsigned NOT NULL PRIMARY KEY, order_id bigint unsigned NOT NULL, product_id bigint unsigned NOT NULL,
    variation_id bigint unsigned NOT NULL, customer_id bigint unsigned DEFAULT NULL, date_created datetime NOT NULL,
    product_qty int NOT NULL, product_net_revenue double NOT NULL DEFAULT 0
);

INSERT INTO shop_terms VALUES (1, 'Books'), (2, 'Gifts'), (3, 'red');
INSERT INTO shop_term_taxonomy VALUES (11, 1, 'product_cat'), (12, 2, 'product_cat'), (13, 3, 'product_tag');
INSERT INTO shop_term_relationships VALUES (101, 11), (101, 12), (101, 13), (102, 12);
INSERT INTO shop_posts VALUES (101, 'Atlas', 'product'), (102, 'Mug', 'product'), (103, 'About us', 'page');
INSERT INTO shop_wc_customer_lookup VALUES
    (1, 7, 'asha', 'Asha', 'Rao', 'asha@example.com', '2023-01-01', 'IN'),
    (2, NULL, '', 'Ben', 'Kurz', 'ben@example.com', NULL, 'DE'),
    (3, 8, 'cy', '', '', 'cy@example.com', '2023-01-01', '');
-- The first is of half past one on the first of February in the shop; a refund of it; a pending and a cancelled one.
INSERT INTO shop_wc_order_stats VALUES
    (1, 0, '2024-02-01 01:30:00', '2024-01-31 20:00:00', 3, 55.1, 50, 0, 'wc-completed', 1),
    (2, 0, '2024-01-31 23:30:00', '2024-01-31 18:00:00', 4, 20.2, 20, 1, 'wc-processing', 1),
    (3, 0, '2024-02-03 15:30:00', '2024-02-03 10:00:00', 2, 12.5, 10, 0, 'wc-on-hold', 2),
    (4, 0, '2024-02-04 15:30:00', '2024-02-04 10:00:00', 9, 99, 99, 0, 'wc-cancelled', 2),
    (5, 0, '2024-02-05 15:30:00', '2024-02-05 10:00:00', 1, 30, 30, 1, 'wc-pending', 1),
    (6, 1, '2024-02-06 15:30:00', '2024-02-06 10:00:00', -1, -20, -20, 1, 'wc-completed', 1);
INSERT INTO shop_wc_order_product_lookup VALUES
    (1, 1, 101, 0, 1, '2024-02-01', 2, 40), (2, 1, 101, 5, 1, '2024-02-01', 1, 10), (3, 2, 102, 0, 1, '2024-01-31', 4, 20),
    (4, 3, 102, 0, 2, '2024-02-03', 2, 10), (5, 4, 101, 0, 2, '2024-02-04', 9, 99), (6, 5, 101, 0, 1, '2024-02-05', 1, 30),
    (7, 6, 101, 0, 1, '2024-02-06', -1, -20);
INSERT INTO shop_comments VALUES
    (1, 101, 'asha@example.com', '2024-02-02', '1', 'review', 7), (2, 102, 'asha@example.com', '2024-02-02', '1', 'review', 0),
    (3, 102, 'ben@example.com', '2024-02-02', '0', 'review', 0), (4, 103, 'ben@example.com', '2024-02-02', '1', 'comment', 0);
INSERT INTO shop_commentmeta VALUES (1, 1, 'rating', '5'), (2, 2, 'rating', '2'), (3, 3, 'rating', '1'), (4, 1, 'verified', '1');
