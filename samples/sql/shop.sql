-- A small dirty shop, for an empty database:
--     psql --set ON_ERROR_STOP=1 --file shop.sql postgresql://user@host/database
--     sqlite3 -bail shop.db < shop.sql
-- Written by `python tools/sample_sql.py`; change it there.
--
-- The tables have the shop's columns (schema.sql) but none of its constraints, and reviews and
-- order_items.price are text, as after a careless import: so every kind of dirt can be in them, except NUL in
-- text, which no SQL file can hold. Sound rows come first. What is wrong, by table and key:
--     categories 61: name with blanks
--     categories 62: name missing
--     categories 63: key repeated, rows identical
--     categories 64: key repeated, rows conflicting
--     categories (null): key missing
--     products 501: name with blanks
--     products 502: name with a tab
--     products 503: name missing
--     products 504: name blank
--     products 505: category missing
--     products 506: category unknown
--     products 507: category without a name
--     products 508: key repeated, rows identical
--     products 509: key repeated, rows conflicting
--     products (null): key missing
--     customers 101: name with blanks outside and inside
--     customers 102: name and country in mixed case
--     customers 103: name with a tab
--     customers 104: name with a line's end
--     customers 105: name with a zero-width space
--     customers 106: e-mail masked: not the same person as 107 and 108
--     customers 107: e-mail masked
--     customers 108: e-mail masked
--     customers 109: e-mail missing
--     customers 110: e-mail empty
--     customers 111: e-mail malformed
--     customers 112: e-mail malformed
--     customers 114: same e-mail as 113 but for case and blanks
--     customers 115: same e-mail as 113 but for case
--     customers 116: country spelled otherwise
--     customers 117: country spelled otherwise
--     customers 118: country spelled otherwise
--     customers 119: country spelled otherwise
--     customers 120: country spelled otherwise
--     customers 121: country spelled otherwise
--     customers 122: country spelled otherwise
--     customers 123: country with blanks, in capitals
--     customers 124: country unknown
--     customers 125: country missing
--     customers 126: name missing
--     customers 127: name blank
--     customers 128: key repeated, rows identical
--     customers 129: key repeated, rows conflicting
--     customers (null): key missing
--     orders 1001: without items
--     orders 1002: total differs from items: shipping
--     orders 1003: total missing, with items worth 36.00
--     orders 1004: total missing, without items
--     orders 1005: customer missing
--     orders 1006: customer unknown
--     orders 1007: negative total of an order that counts
--     orders 1008: return: negative total and quantity
--     orders 1009: status with blanks and capitals
--     orders 1010: status in the other spelling, capitals
--     orders 1011: status with a tab
--     orders 1012: status unknown
--     orders 1013: status missing
--     orders 1014: date in the future
--     orders 1015: date before 1970
--     orders 1016: date missing
--     orders 1017: key repeated, rows identical
--     orders 1018: key repeated, rows conflicting
--     orders (null): key missing
--     order_items 5007: negative quantity of an order that counts
--     order_items 5008: negative quantity of a return
--     order_items 5030: order missing
--     order_items 5031: order unknown
--     order_items 5032: product missing
--     order_items 5033: product unknown
--     order_items 5034: quantity missing
--     order_items 5035: quantity zero
--     order_items 5036: price missing
--     order_items 5037: price cannot be read
--     order_items 5038: price negative
--     order_items 5041: price with a third digit
--     order_items 5042: price beyond reason
--     order_items 5043: quantity beyond reason
--     order_items 5039: key repeated, rows identical
--     order_items 5040: key repeated, rows conflicting
--     order_items (null): key missing
--     reviews 7001: product missing
--     reviews 7002: product unknown
--     reviews 7003: customer missing
--     reviews 7004: customer unknown
--     reviews 7005: rating missing
--     reviews 7006: rating 0
--     reviews 7007: rating 6
--     reviews 7008: rating 99
--     reviews 7009: rating cannot be read
--     reviews 7010: date missing
--     reviews 7011: date cannot be read
--     reviews 7012: date in the future
--     reviews 7013: date before 1970
--     reviews 7014: same customer, product and day as 7015
--     reviews 7015: same customer, product and day as 7014
--     reviews 7016: the same as 7017, as 113 and 114 are one
--     reviews 7017: the same as 7016, as 113 and 114 are one
--     reviews 7019: key repeated, rows identical
--     reviews 7020: key repeated, rows conflicting
--     reviews (null): key missing
--     reviews A-17: key cannot be read

BEGIN;

CREATE TABLE categories (
    category_id INT,
    category_name VARCHAR(100)
);

CREATE TABLE products (
    product_id INT,
    product_name VARCHAR(100),
    category_id INT
);

CREATE TABLE customers (
    customer_id INT,
    name VARCHAR(100),
    email VARCHAR(100),
    country VARCHAR(50)
);

CREATE TABLE orders (
    order_id INT,
    customer_id INT,
    order_date DATE,
    total_amount DECIMAL(10,2),
    status VARCHAR(20)
);

CREATE TABLE order_items (
    item_id INT,
    order_id INT,
    product_id INT,
    quantity INT,
    price TEXT
);

CREATE TABLE reviews (
    review_id TEXT,
    product_id TEXT,
    customer_id TEXT,
    rating TEXT,
    review_date TEXT
);

INSERT INTO categories (category_id, category_name) VALUES
    (1, 'Books'),
    (2, 'Music'),
    (3, 'Films'),
    (4, 'Games'),
    (5, 'Toys'),
    (6, 'Baby'),
    -- name with blanks
    (61, '  Odds   and Ends '),
    -- name missing
    (62, NULL),
    -- key repeated, rows identical
    (63, 'Gifts'),
    -- key repeated, rows identical
    (63, 'Gifts'),
    -- key repeated, rows conflicting
    (64, 'Vouchers'),
    -- key repeated, rows conflicting
    (64, 'Gift cards'),
    -- key missing
    (NULL, 'Nameless');

INSERT INTO products (product_id, product_name, category_id) VALUES
    (1, 'Borealis Mini Metronome', 2),
    (2, 'Umber Compact Record', 2),
    (3, 'Meridian Light Record', 2),
    (4, 'Fjord Light Bottle', 6),
    (5, 'Pinnacle Deluxe Bottle', 6),
    (6, 'Cinder Compact Stroller', 6),
    (7, 'Pinnacle Light Songbook', 2),
    (8, 'Quill Classic Controller', 4),
    (9, 'Meridian Mini Robot', 5),
    (10, 'Nimbus Deluxe Train', 5),
    (11, 'Meridian Classic Rattle', 6),
    (12, 'Indigo Light Stroller', 6),
    (13, 'Kestrel Plus Boxset', 3),
    (14, 'Nimbus Basic Boxset', 3),
    -- name with blanks
    (501, '  Blue   Lamp ', 61),
    -- name with a tab
    (502, 'Red	Lamp', 1),
    -- name missing
    (503, NULL, 2),
    -- name blank
    (504, '   ', 2),
    -- category missing
    (505, 'Stray Mug', NULL),
    -- category unknown
    (506, 'Lost Mug', 99),
    -- category without a name
    (507, 'Odd Mug', 62),
    -- key repeated, rows identical
    (508, 'Twin Mug', 3),
    -- key repeated, rows identical
    (508, 'Twin Mug', 3),
    -- key repeated, rows conflicting
    (509, 'Rival Mug', 3),
    -- key repeated, rows conflicting
    (509, 'Rival Mug', 4),
    -- key missing
    (NULL, 'Keyless Mug', 3);

INSERT INTO customers (customer_id, name, email, country) VALUES
    (1, 'Barbara Jones', 'barbara.jones1@us.example.com', 'United States'),
    (2, 'Ginevra Ricci', 'ginevra.ricci2@it.example.net', 'Italy'),
    (3, 'Helena Alves', 'helena.alves3@br.example.org', 'Brazil'),
    (4, 'Oliver Robinson', 'oliver.robinson4@uk.example.org', 'United Kingdom'),
    (5, 'Naoko Yamada', 'naoko.yamada5@jp.example.net', 'Japan'),
    (6, 'Jade Petit', 'jade.petit6@fr.example.com', 'France'),
    (7, 'Leo Khan', 'leo.khan7@uk.example.org', 'United Kingdom'),
    (8, 'Oscar Thompson', 'oscar.thompson8@uk.example.org', 'United Kingdom'),
    (9, 'Hina Tanaka', 'hina.tanaka9@jp.example.net', 'Japan'),
    (10, 'Yuto Takahashi', 'yuto.takahashi10@jp.example.net', 'Japan'),
    (11, 'Bernardo Pereira', 'bernardo.pereira11@br.example.org', 'Brazil'),
    (12, 'David O''Brien', 'david.obrien12@us.example.com', 'United States'),
    (13, 'Poppy Robinson', 'poppy.robinson13@uk.example.org', 'United Kingdom'),
    (14, 'Björn Schulz', 'bjorn.schulz14@de.example.net', 'Germany'),
    -- name with blanks outside and inside
    (101, '  Ann   Lee ', 'ann.lee@example.com', 'United States'),
    -- name and country in mixed case
    (102, 'bOB mAY', 'bob.may@example.com', 'uNITED sTATES'),
    -- name with a tab
    (103, 'Cleo	Day', 'cleo.day@example.com', 'Spain'),
    -- name with a line's end
    (104, 'Dora
Fox', 'dora.fox@example.com', 'Spain'),
    -- name with a zero-width space
    (105, 'Eli​ Gray', 'eli.gray@example.com', 'Italy'),
    -- e-mail masked: not the same person as 107 and 108
    (106, 'Fay Hill', 'XXXXXXXXX', 'Italy'),
    -- e-mail masked
    (107, 'Gus Ives', 'XXXXXXXXX', 'France'),
    -- e-mail masked
    (108, 'Hal Jung', 'XXXXXXXXX', 'Germany'),
    -- e-mail missing
    (109, 'Ida Kent', NULL, 'France'),
    -- e-mail empty
    (110, 'Joy Lund', '', 'Sweden'),
    -- e-mail malformed
    (111, 'Kai Moss', 'kai.moss(at)example.com', 'Sweden'),
    -- e-mail malformed
    (112, 'Liv Nash', 'liv@@example.com', 'Poland'),
    -- sound; 114 and 115 are the same person
    (113, 'Max Orth', 'max.orth@example.com', 'Germany'),
    -- same e-mail as 113 but for case and blanks
    (114, 'Max  Orth', ' Max.Orth@Example.com ', 'Deutschland'),
    -- same e-mail as 113 but for case
    (115, 'M. Orth', 'MAX.ORTH@EXAMPLE.COM', 'DE'),
    -- country spelled otherwise
    (116, 'Ned Park', 'ned.park@example.com', 'USA'),
    -- country spelled otherwise
    (117, 'Ona Quin', 'ona.quin@example.com', 'U.S.A.'),
    -- country spelled otherwise
    (118, 'Pia Rose', 'pia.rose@example.com', 'us'),
    -- country spelled otherwise
    (119, 'Quy Shaw', 'quy.shaw@example.com', 'United States of America'),
    -- country spelled otherwise
    (120, 'Ray Todd', 'ray.todd@example.com', 'UK'),
    -- country spelled otherwise
    (121, 'Sam Udo', 'sam.udo@example.com', 'Holland'),
    -- country spelled otherwise
    (122, 'Tea Vale', 'tea.vale@example.com', 'Россия'),
    -- country with blanks, in capitals
    (123, 'Ugo West', 'ugo.west@example.com', '  FRANCE '),
    -- country unknown
    (124, 'Val Xu', 'val.xu@example.com', 'Atlantis'),
    -- country missing
    (125, 'Wim York', 'wim.york@example.com', NULL),
    -- name missing
    (126, NULL, 'nobody@example.com', 'Japan'),
    -- name blank
    (127, '   ', 'blank@example.com', 'Japan'),
    -- key repeated, rows identical
    (128, 'Xia Zorn', 'xia.zorn@example.com', 'Japan'),
    -- key repeated, rows identical
    (128, 'Xia Zorn', 'xia.zorn@example.com', 'Japan'),
    -- key repeated, rows conflicting
    (129, 'Yan Abel', 'yan.abel@example.com', 'India'),
    -- key repeated, rows conflicting
    (129, 'Yan Baer', 'yan.baer@example.com', 'India'),
    -- key missing
    (NULL, 'Zoe Cole', 'zoe.cole@example.com', 'India'),
    -- sound, however odd: quotes and an emoji
    (130, 'Bea "Bee" O''Dell 🐝', 'bea@example.com', 'Brazil');

INSERT INTO orders (order_id, customer_id, order_date, total_amount, status) VALUES
    (1, 1, '2022-07-31', 143.96, 'completed'),
    (2, 2, '2022-08-27', 45.97, 'completed'),
    (3, 1, '2022-08-31', 128.80, 'completed'),
    (4, 2, '2022-10-06', 112.96, 'completed'),
    (5, 2, '2022-10-19', 99.98, 'completed'),
    (6, 2, '2022-11-11', 47.97, 'cancelled'),
    (7, 2, '2022-11-30', 35.98, 'delivered'),
    (8, 1, '2022-12-10', 49.99, 'completed'),
    (9, 2, '2023-01-02', 64.97, 'completed'),
    (10, 2, '2023-01-09', 189.95, 'delivered'),
    (11, 2, '2023-02-03', 28.97, 'completed'),
    (12, 2, '2023-03-09', 16.98, 'completed'),
    (13, 2, '2023-03-31', 44.99, 'completed'),
    (14, 4, '2023-04-15', 255.11, 'completed'),
    (15, 2, '2023-05-05', 16.98, 'delivered'),
    (16, 4, '2023-05-12', 119.95, 'shipped'),
    (17, 2, '2023-05-31', 16.98, 'completed'),
    (18, 1, '2023-06-18', 451.88, 'returned'),
    (19, 4, '2023-07-11', 208.96, 'completed'),
    (20, 4, '2023-08-07', 16.62, 'shipped'),
    (21, 2, '2023-08-14', 16.62, 'completed'),
    (22, 4, '2023-09-03', 45.53, 'delivered'),
    (23, 4, '2023-09-19', 12.46, 'delivered'),
    (24, 4, '2023-10-09', 8.30, 'delivered'),
    (25, 4, '2023-10-20', 130.77, 'delivered'),
    (26, 2, '2023-10-29', 105.00, 'completed'),
    (27, 4, '2023-11-17', 73.57, 'shipped'),
    (28, 4, '2023-11-27', 83.16, 'delivered'),
    (29, 1, '2023-12-07', 24.92, 'completed'),
    (30, 2, '2023-12-11', 51.98, 'completed'),
    (31, 4, '2023-12-24', 49.56, 'completed'),
    (32, 4, '2023-12-29', 65.48, 'returned'),
    (33, 6, '2024-01-11', 15.37, 'delivered'),
    (34, 4, '2024-01-29', 56.97, 'shipped'),
    (35, 6, '2024-02-14', 99.78, 'completed'),
    (36, 4, '2024-03-01', 16.62, 'completed'),
    (37, 7, '2024-03-03', 48.65, 'completed'),
    (38, 1, '2024-03-23', 105.00, 'refunded'),
    (39, 7, '2024-04-08', 74.84, 'completed'),
    (40, 7, '2024-04-18', 16.62, 'completed'),
    (41, 7, '2024-04-30', 31.60, 'completed'),
    (42, 6, '2024-05-04', 155.94, 'completed'),
    (43, 8, '2024-05-23', 56.97, 'completed'),
    (44, 6, '2024-06-03', 311.88, 'completed'),
    (45, 7, '2024-06-04', 356.55, 'completed'),
    (46, 7, '2024-06-23', 13.29, 'completed'),
    (47, 6, '2024-07-04', 53.98, 'completed'),
    (48, 7, '2024-07-19', 53.98, 'delivered'),
    (49, 7, '2024-07-21', 33.46, 'delivered'),
    (50, 7, '2024-08-07', 139.24, 'shipped'),
    (51, 9, '2024-08-19', 117.21, 'completed'),
    (52, 9, '2024-09-03', 24.82, 'completed'),
    (53, 9, '2024-09-05', 90.68, 'completed'),
    (54, 2, '2024-09-16', 53.98, 'shipped'),
    (55, 7, '2024-09-28', 51.29, 'completed'),
    (56, 9, '2024-10-10', 493.52, 'shipped'),
    (57, 4, '2024-10-13', 34.54, 'completed'),
    (58, 7, '2024-10-23', 12.94, 'delivered'),
    (59, 9, '2024-11-05', 12.94, 'completed'),
    (60, 7, '2024-11-07', 43.18, 'delivered'),
    (61, 7, '2024-11-14', 177.04, 'completed'),
    (62, 10, '2024-11-20', 185.64, 'completed'),
    (63, 10, '2024-11-27', 201.86, 'shipped'),
    (64, 11, '2024-12-06', 17.24, 'shipped'),
    (65, 11, '2024-12-10', 66.92, 'delivered'),
    (66, 10, '2024-12-16', 38.45, 'completed'),
    (67, 7, '2024-12-21', 102.15, 'shipped'),
    (68, 9, '2024-12-23', 221.48, 'completed'),
    (69, 1, '2024-12-29', 204.04, 'completed'),
    (70, 10, '2025-01-10', 34.54, 'completed'),
    (71, 11, '2025-01-16', 49.64, 'shipped'),
    (72, 12, '2025-01-30', 138.05, 'completed'),
    (73, 7, '2025-02-06', 23.74, 'completed'),
    (74, 12, '2025-02-13', 127.38, 'delivered'),
    (75, 7, '2025-02-24', 104.70, 'completed'),
    (76, 12, '2025-03-04', 140.32, 'completed'),
    (77, 12, '2025-03-14', 93.90, 'shipped'),
    (78, 12, '2025-03-22', 99.30, 'completed'),
    (79, 7, '2025-03-26', 66.92, 'delivered'),
    (80, 2, '2025-04-04', 10.78, 'completed'),
    (81, 7, '2025-04-10', 34.52, 'shipped'),
    (82, 4, '2025-04-22', 34.54, 'completed'),
    (83, 12, '2025-04-28', 408.06, 'completed'),
    (84, 11, '2025-05-05', 90.68, 'completed'),
    (85, 4, '2025-05-07', 65.63, 'completed'),
    (86, 7, '2025-05-15', 99.32, 'delivered'),
    (87, 1, '2025-05-23', 224.52, 'completed'),
    (88, 9, '2025-05-29', 33.46, 'completed'),
    (89, 2, '2025-06-06', 112.95, 'completed'),
    (90, 2, '2025-06-13', 109.04, 'completed'),
    (91, 13, '2025-06-19', 96.73, 'shipped'),
    (92, 3, '2025-06-27', 51.78, 'delivered'),
    -- without items
    (1001, 101, '2025-02-03', 25.00, 'completed'),
    -- total differs from items: shipping
    (1002, 102, '2025-02-04', 24.99, 'completed'),
    -- total missing, with items worth 36.00
    (1003, 103, '2025-02-05', NULL, 'completed'),
    -- total missing, without items
    (1004, 104, '2025-02-06', NULL, 'completed'),
    -- customer missing
    (1005, NULL, '2025-02-07', 40.00, 'completed'),
    -- customer unknown
    (1006, 999, '2025-02-08', 41.00, 'completed'),
    -- negative total of an order that counts
    (1007, 105, '2025-02-09', -15.00, 'completed'),
    -- return: negative total and quantity
    (1008, 105, '2025-02-10', -12.00, 'returned'),
    -- status with blanks and capitals
    (1009, 116, '2025-02-11', 30.00, '  Completed '),
    -- status in the other spelling, capitals
    (1010, 117, '2025-02-12', 31.00, 'CANCELED'),
    -- status with a tab
    (1011, 118, '2025-02-13', 32.00, 'shipped	'),
    -- status unknown
    (1012, 119, '2025-02-14', 33.00, 'lost?'),
    -- status missing
    (1013, 120, '2025-02-15', 34.00, NULL),
    -- date in the future
    (1014, 121, '2999-12-31', 35.00, 'completed'),
    -- date before 1970
    (1015, 122, '1969-12-31', 36.00, 'completed'),
    -- date missing
    (1016, 123, NULL, 37.00, 'completed'),
    -- key repeated, rows identical
    (1017, 124, '2025-02-16', 38.00, 'completed'),
    -- key repeated, rows identical
    (1017, 124, '2025-02-16', 38.00, 'completed'),
    -- key repeated, rows conflicting
    (1018, 125, '2025-02-17', 39.00, 'pending'),
    -- key repeated, rows conflicting
    (1018, 125, '2025-02-18', 39.50, 'completed'),
    -- key missing
    (NULL, 126, '2025-02-19', 42.00, 'completed'),
    -- sound, of a customer whose e-mail is masked
    (1019, 106, '2025-03-01', 50.00, 'completed'),
    -- sound, of a customer whose e-mail is masked
    (1020, 107, '2025-03-02', 51.00, 'completed'),
    -- sound, of a customer whose e-mail is masked
    (1021, 108, '2025-03-03', 52.00, 'completed'),
    -- sound, of 113
    (1022, 113, '2025-03-04', 60.00, 'completed'),
    -- sound, of 114, who is 113
    (1023, 114, '2025-03-05', 61.00, 'completed'),
    -- sound, of 115, who is 113
    (1024, 115, '2025-03-06', 62.00, 'delivered'),
    -- sound, of a customer whose e-mail is missing
    (1025, 109, '2025-03-07', 53.00, 'completed'),
    -- sound, of a customer whose key is repeated
    (1026, 129, '2025-03-08', 54.00, 'completed'),
    -- sound, of products that lack something
    (1027, 130, '2025-03-09', 55.00, 'completed'),
    -- sound, but its items are not
    (1028, 130, '2025-03-10', 56.00, 'completed');

INSERT INTO order_items (item_id, order_id, product_id, quantity, price) VALUES
    (1, 1, 5, 1, '37.99'),
    (2, 1, 12, 1, '49.99'),
    (3, 1, 11, 1, '50.99'),
    (4, 2, 3, 2, '11.99'),
    (5, 2, 1, 1, '21.99'),
    (6, 3, 11, 2, '50.99'),
    (7, 3, 4, 1, '33.59'),
    (8, 4, 14, 1, '19.99'),
    (9, 4, 3, 1, '11.99'),
    (10, 4, 6, 1, '30.99'),
    (11, 4, 12, 1, '49.99'),
    (12, 5, 12, 1, '49.99'),
    (13, 5, 12, 1, '49.99'),
    (14, 6, 13, 3, '15.99'),
    (15, 7, 6, 1, '30.99'),
    (16, 8, 12, 1, '49.99'),
    (17, 9, 2, 2, '29.99'),
    (18, 10, 14, 2, '19.99'),
    (19, 10, 12, 1, '49.99'),
    (20, 10, 12, 1, '49.99'),
    (21, 10, 12, 1, '49.99'),
    (22, 11, 3, 2, '11.99'),
    (23, 12, 3, 1, '11.99'),
    (24, 13, 12, 1, '49.99'),
    (25, 14, 9, 3, '18.39'),
    (26, 14, 4, 4, '41.99'),
    (27, 14, 13, 2, '15.99'),
    (28, 15, 3, 1, '11.99'),
    (29, 16, 3, 3, '11.99'),
    (30, 16, 4, 2, '41.99'),
    (31, 17, 3, 1, '11.99'),
    (32, 18, 12, 5, '49.99'),
    (33, 18, 3, 1, '11.99'),
    (34, 18, 4, 1, '41.99'),
    (35, 18, 13, 1, '15.99'),
    (36, 18, 13, 1, '15.99'),
    (37, 18, 12, 1, '49.99'),
    (38, 18, 12, 1, '49.99'),
    (39, 18, 13, 1, '15.99'),
    (40, 19, 12, 1, '51.98'),
    (41, 19, 11, 1, '53.02'),
    (42, 19, 12, 2, '51.98'),
    (43, 20, 13, 1, '16.62'),
    (44, 21, 13, 1, '16.62'),
    (45, 22, 8, 1, '40.54'),
    (46, 23, 3, 1, '12.46'),
    (47, 24, 7, 1, '8.30'),
    (48, 25, 14, 1, '20.78'),
    (49, 25, 11, 1, '53.02'),
    (50, 25, 12, 1, '51.98'),
    (51, 26, 12, 1, '51.98'),
    (52, 26, 11, 1, '53.02'),
    (53, 27, 9, 1, '23.90'),
    (54, 27, 14, 1, '20.78'),
    (55, 27, 9, 1, '23.90'),
    (56, 28, 2, 1, '31.18'),
    (57, 28, 12, 1, '51.98'),
    (58, 29, 3, 2, '12.46'),
    (59, 30, 12, 1, '51.98'),
    (60, 31, 12, 1, '51.98'),
    (61, 31, 3, 1, '9.96'),
    (62, 32, 6, 1, '32.22'),
    (63, 32, 10, 1, '33.26'),
    (64, 33, 7, 1, '10.38'),
    (65, 34, 12, 1, '51.98'),
    (66, 35, 12, 2, '41.58'),
    (67, 35, 13, 1, '16.62'),
    (68, 36, 13, 1, '16.62'),
    (69, 37, 4, 1, '43.66'),
    (70, 38, 12, 1, '51.98'),
    (71, 38, 11, 1, '53.02'),
    (72, 39, 2, 1, '31.18'),
    (73, 39, 4, 1, '43.66'),
    (74, 40, 13, 1, '16.62'),
    (75, 41, 5, 1, '31.60'),
    (76, 42, 12, 2, '51.98'),
    (77, 42, 12, 1, '51.98'),
    (78, 43, 12, 1, '51.98'),
    (79, 44, 12, 1, '51.98'),
    (80, 44, 12, 1, '51.98'),
    (81, 44, 12, 3, '51.98'),
    (82, 44, 12, 1, '51.98'),
    (83, 45, 8, 1, '40.54'),
    (84, 45, 12, 2, '51.98'),
    (85, 45, 11, 5, '42.41'),
    (86, 46, 13, 1, '13.29'),
    (87, 47, 12, 1, '53.98'),
    (88, 48, 12, 1, '53.98'),
    (89, 49, 6, 1, '33.46'),
    (90, 50, 2, 3, '32.38'),
    (91, 50, 8, 1, '42.10'),
    (92, 51, 13, 1, '17.26'),
    (93, 51, 13, 2, '13.80'),
    (94, 51, 8, 2, '33.68'),
    (95, 52, 9, 1, '24.82'),
    (96, 53, 4, 2, '45.34'),
    (97, 54, 12, 1, '53.98'),
    (98, 55, 12, 1, '53.98'),
    (99, 56, 12, 1, '53.98'),
    (100, 56, 6, 3, '33.46'),
    (101, 56, 14, 2, '21.58'),
    (102, 56, 11, 5, '55.06'),
    (103, 56, 3, 2, '10.35'),
    (104, 57, 10, 1, '34.54'),
    (105, 58, 3, 1, '12.94'),
    (106, 59, 3, 1, '12.94'),
    (107, 60, 12, 1, '43.18'),
    (108, 61, 12, 1, '53.98'),
    (109, 61, 11, 2, '55.06'),
    (110, 61, 3, 1, '12.94'),
    (111, 62, 13, 2, '17.26'),
    (112, 62, 12, 1, '53.98'),
    (113, 62, 14, 2, '21.58'),
    (114, 62, 12, 1, '53.98'),
    (115, 63, 12, 2, '43.18'),
    (116, 63, 4, 2, '45.34'),
    (117, 63, 9, 1, '24.82'),
    (118, 64, 7, 2, '8.62'),
    (119, 65, 12, 1, '53.98'),
    (120, 65, 3, 1, '12.94'),
    (121, 66, 6, 1, '33.46'),
    (122, 67, 8, 1, '42.10'),
    (123, 67, 11, 1, '55.06'),
    (124, 68, 2, 4, '32.38'),
    (125, 68, 12, 1, '53.98'),
    (126, 68, 1, 2, '18.99'),
    (127, 69, 12, 2, '53.98'),
    (128, 69, 8, 1, '42.10'),
    (129, 69, 12, 1, '53.98'),
    (130, 70, 10, 1, '34.54'),
    (131, 71, 9, 2, '24.82'),
    (132, 72, 7, 3, '8.62'),
    (133, 72, 6, 2, '33.46'),
    (134, 72, 11, 1, '55.06'),
    (135, 73, 1, 1, '23.74'),
    (136, 74, 12, 2, '43.18'),
    (137, 74, 5, 1, '41.02'),
    (138, 75, 9, 2, '24.82'),
    (139, 75, 11, 1, '55.06'),
    (140, 76, 3, 1, '12.94'),
    (141, 76, 4, 1, '45.34'),
    (142, 76, 5, 2, '41.02'),
    (143, 77, 13, 1, '17.26'),
    (144, 77, 10, 1, '34.54'),
    (145, 77, 8, 1, '42.10'),
    (146, 78, 12, 2, '43.18'),
    (147, 78, 3, 1, '12.94'),
    (148, 79, 6, 2, '33.46'),
    (149, 80, 7, 1, '10.78'),
    (150, 81, 13, 2, '17.26'),
    (151, 82, 10, 1, '34.54'),
    (152, 83, 8, 1, '42.10'),
    (153, 83, 11, 1, '55.06'),
    (154, 83, 4, 5, '45.34'),
    (155, 83, 8, 2, '42.10'),
    (156, 84, 4, 2, '45.34'),
    (157, 85, 10, 2, '34.54'),
    (158, 86, 4, 1, '45.34'),
    (159, 86, 12, 1, '53.98'),
    (160, 87, 4, 2, '45.34'),
    (161, 87, 3, 2, '12.94'),
    (162, 87, 12, 2, '53.98'),
    (163, 88, 6, 1, '33.46'),
    (164, 89, 12, 2, '53.98'),
    (165, 90, 12, 1, '53.98'),
    (166, 90, 11, 1, '55.06'),
    (167, 91, 3, 1, '12.94'),
    (168, 91, 4, 1, '45.34'),
    (169, 91, 6, 1, '33.46'),
    (170, 92, 13, 3, '17.26'),
    -- sound, of an order with shipping
    (5002, 1002, 1, 2, '10.00'),
    -- sound, of an order without a total
    (5003, 1003, 2, 3, '12.00'),
    -- sound, of an order without a customer
    (5005, 1005, 3, 1, '40.00'),
    -- sound, of an order of an unknown customer
    (5006, 1006, 4, 1, '41.00'),
    -- negative quantity of an order that counts
    (5007, 1007, 5, -1, '15.00'),
    -- negative quantity of a return
    (5008, 1008, 6, -1, '12.00'),
    -- sound
    (5009, 1009, 9, 1, '30.00'),
    -- sound
    (5010, 1010, 9, 1, '31.00'),
    -- sound
    (5011, 1011, 9, 1, '32.00'),
    -- sound
    (5012, 1012, 10, 1, '33.00'),
    -- sound
    (5013, 1013, 10, 1, '34.00'),
    -- sound, of an order in the future
    (5014, 1014, 10, 1, '35.00'),
    -- sound, of an order before 1970
    (5015, 1015, 10, 1, '36.00'),
    -- sound, of an order without a date
    (5016, 1016, 10, 1, '37.00'),
    -- sound, of an order that is repeated
    (5017, 1017, 7, 1, '38.00'),
    -- sound, of an order that is repeated
    (5018, 1018, 8, 1, '39.00'),
    -- sound
    (5019, 1019, 1, 1, '50.00'),
    -- sound
    (5020, 1020, 1, 1, '51.00'),
    -- sound
    (5021, 1021, 1, 1, '52.00'),
    -- sound
    (5022, 1022, 2, 1, '60.00'),
    -- sound
    (5023, 1023, 2, 1, '61.00'),
    -- sound
    (5024, 1024, 2, 2, '31.00'),
    -- sound
    (5025, 1025, 3, 1, '53.00'),
    -- sound
    (5026, 1026, 3, 2, '27.00'),
    -- sound, of a product without a name
    (5027, 1027, 503, 1, '20.00'),
    -- sound, of a product without a category
    (5028, 1027, 505, 1, '20.00'),
    -- sound, of a product of an unknown category
    (5029, 1027, 506, 1, '15.00'),
    -- order missing
    (5030, NULL, 1, 1, '1.00'),
    -- order unknown
    (5031, 9999, 1, 1, '2.00'),
    -- product missing
    (5032, 1028, NULL, 1, '3.00'),
    -- product unknown
    (5033, 1028, 999, 1, '4.00'),
    -- quantity missing
    (5034, 1028, 1, NULL, '5.00'),
    -- quantity zero
    (5035, 1028, 1, 0, '6.00'),
    -- price missing
    (5036, 1028, 1, 1, NULL),
    -- price cannot be read
    (5037, 1028, 1, 1, 'n/a'),
    -- price negative
    (5038, 1028, 1, 1, '-7.00'),
    -- price with a third digit
    (5041, 1028, 12, 1, '9.995'),
    -- price beyond reason
    (5042, 1028, 12, 1, '1000000000000.00'),
    -- quantity beyond reason
    (5043, 1028, 12, 10000001, '0.01'),
    -- key repeated, rows identical
    (5039, 1028, 9, 1, '8.00'),
    -- key repeated, rows identical
    (5039, 1028, 9, 1, '8.00'),
    -- key repeated, rows conflicting
    (5040, 1028, 10, 1, '9.00'),
    -- key repeated, rows conflicting
    (5040, 1028, 10, 2, '9.00'),
    -- key missing
    (NULL, 1028, 11, 1, '10.00');

INSERT INTO reviews (review_id, product_id, customer_id, rating, review_date) VALUES
    ('1', '5', '1', '1', '2022-08-02'),
    ('2', '14', '2', '5', '2022-10-07'),
    ('3', '12', '2', '3', '2022-11-22'),
    ('4', '12', '2', '3', '2023-01-29'),
    ('5', '3', '2', '1', '2023-02-16'),
    ('6', '3', '4', '4', '2023-05-22'),
    ('7', '13', '4', '4', '2023-08-14'),
    ('8', '8', '4', '5', '2023-09-13'),
    ('9', '12', '2', '5', '2023-11-04'),
    ('10', '14', '4', '4', '2023-12-03'),
    ('11', '9', '4', '4', '2023-11-25'),
    ('12', '12', '4', '3', '2023-12-26'),
    ('13', '7', '6', '4', '2024-01-17'),
    ('14', '13', '6', '4', '2024-02-19'),
    ('15', '5', '7', '2', '2024-05-05'),
    ('16', '12', '6', '4', '2024-06-15'),
    ('17', '12', '6', '5', '2024-06-10'),
    ('18', '8', '7', '3', '2024-06-15'),
    ('19', '12', '6', '3', '2024-07-06'),
    ('20', '8', '7', '3', '2024-08-17'),
    ('21', '13', '9', '2', '2024-09-08'),
    ('22', '8', '9', '5', '2024-09-11'),
    ('23', '9', '9', '4', '2024-09-05'),
    ('24', '4', '9', '2', '2024-09-06'),
    ('25', '14', '9', '5', '2024-10-20'),
    ('26', '12', '7', '4', '2024-11-18'),
    ('27', '11', '7', '2', '2024-11-19'),
    ('28', '12', '10', '5', '2024-11-22'),
    ('29', '14', '10', '5', '2024-11-25'),
    ('30', '6', '10', '4', '2024-12-31'),
    ('31', '11', '7', '3', '2024-12-30'),
    ('32', '12', '1', '3', '2025-01-02'),
    ('33', '8', '1', '4', '2025-01-12'),
    ('34', '9', '11', '4', '2025-02-01'),
    ('35', '11', '7', '3', '2025-02-27'),
    ('36', '4', '12', '5', '2025-03-17'),
    ('37', '3', '12', '4', '2025-03-26'),
    ('38', '13', '7', '5', '2025-04-22'),
    ('39', '8', '12', '3', '2025-05-01'),
    ('40', '12', '7', '5', '2025-05-27'),
    ('41', '3', '1', '3', '2025-06-01'),
    ('42', '12', '1', '4', '2025-06-04'),
    ('43', '12', '2', '5', '2025-06-14'),
    ('44', '11', '2', '3', '2025-06-17'),
    ('45', '3', '13', '4', '2025-06-30'),
    -- product missing
    ('7001', NULL, '1', '5', '2025-04-01'),
    -- product unknown
    ('7002', '999', '1', '5', '2025-04-01'),
    -- customer missing
    ('7003', '1', NULL, '4', '2025-04-02'),
    -- customer unknown
    ('7004', '1', '999', '4', '2025-04-02'),
    -- rating missing
    ('7005', '1', '2', NULL, '2025-04-03'),
    -- rating 0
    ('7006', '2', '2', '0', '2025-04-03'),
    -- rating 6
    ('7007', '3', '2', '6', '2025-04-03'),
    -- rating 99
    ('7008', '4', '2', '99', '2025-04-03'),
    -- rating cannot be read
    ('7009', '5', '2', 'five', '2025-04-03'),
    -- date missing
    ('7010', '1', '3', '3', NULL),
    -- date cannot be read
    ('7011', '2', '3', '3', '31/02/2025'),
    -- date in the future
    ('7012', '3', '3', '3', '2999-12-31'),
    -- date before 1970
    ('7013', '4', '3', '3', '1969-12-31'),
    -- same customer, product and day as 7015
    ('7014', '5', '4', '1', '2025-04-04'),
    -- same customer, product and day as 7014
    ('7015', '5', '4', '5', '2025-04-04'),
    -- the same as 7017, as 113 and 114 are one
    ('7016', '6', '113', '2', '2025-04-05'),
    -- the same as 7016, as 113 and 114 are one
    ('7017', '6', '114', '4', '2025-04-05'),
    -- sound, of a product without a category
    ('7018', '505', '5', '4', '2025-04-06'),
    -- key repeated, rows identical
    ('7019', '7', '6', '5', '2025-04-07'),
    -- key repeated, rows identical
    ('7019', '7', '6', '5', '2025-04-07'),
    -- key repeated, rows conflicting
    ('7020', '8', '6', '5', '2025-04-07'),
    -- key repeated, rows conflicting
    ('7020', '8', '6', '1', '2025-04-07'),
    -- key missing
    (NULL, '9', '7', '4', '2025-04-08'),
    -- key cannot be read
    ('A-17', '9', '8', '4', '2025-04-08');

COMMIT;
