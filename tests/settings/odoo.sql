-- Columns and types as Odoo 17's models leave them on PostgreSQL; only those that matter here.
CREATE TABLE res_country (id serial PRIMARY KEY, code varchar(2), name jsonb);
CREATE TABLE res_partner (
    id serial PRIMARY KEY, name varchar, email varchar, country_id integer, is_company boolean, supplier_rank integer
);
CREATE TABLE product_category (id serial PRIMARY KEY, parent_id integer, name varchar NOT NULL, complete_name varchar);
CREATE TABLE product_template (id serial PRIMARY KEY, categ_id integer NOT NULL, name jsonb NOT NULL, active boolean);
CREATE TABLE product_product (id serial PRIMARY KEY, product_tmpl_id integer NOT NULL, default_code varchar);
CREATE TABLE sale_order (
    id serial PRIMARY KEY, name varchar NOT NULL, partner_id integer NOT NULL, state varchar,
    date_order timestamp NOT NULL, amount_total numeric, currency_id integer
);
CREATE TABLE sale_order_line (
    id serial PRIMARY KEY, order_id integer NOT NULL, product_id integer, display_type varchar, name text NOT NULL,
    product_uom_qty numeric NOT NULL, price_unit numeric NOT NULL, discount numeric
);
CREATE TABLE rating_rating (
    id serial PRIMARY KEY, res_model varchar, res_id integer NOT NULL, partner_id integer,
    rating double precision, consumed boolean, create_date timestamp
);

INSERT INTO res_country VALUES (1, 'IN', '{"en_US": "India"}'), (2, 'DE', '{"en_US": "Germany"}');
INSERT INTO res_partner VALUES
    (1, 'Asha Rao', 'asha@example.com', 1, false, 0), (2, 'Ben Kurz', 'ben@example.com', 2, false, 0),
    (3, 'Paper Mill', 'mill@example.com', 2, true, 1);
INSERT INTO product_category VALUES (1, NULL, 'All', 'All'), (2, 1, 'Books', 'All / Books');
INSERT INTO product_template VALUES
    (1, 2, '{"en_US": "Atlas", "de_DE": "Weltatlas"}', true), (2, 1, '{"en_US": "Mug"}', true);
INSERT INTO product_product VALUES (1, 1, 'A-H'), (2, 1, 'A-P'), (3, 2, 'M');
INSERT INTO sale_order VALUES
    (1, 'S1', 1, 'sale', '2024-01-31 20:00:00', 55.00, 20),
    (2, 'S2', 1, 'done', '2024-01-31 18:00:00', 20.00, 20),
    (3, 'S3', 2, 'sale', '2024-02-03 10:00:00', 12.50, 20),
    (4, 'S4', 2, 'cancel', '2024-02-04 10:00:00', 99.00, 20),
    (5, 'S5', 1, 'draft', '2024-02-05 10:00:00', 70.00, 20);
INSERT INTO sale_order_line VALUES
    (1, 1, 1, NULL, 'Atlas', 2.00, 20.00, 0), (2, 1, 2, NULL, 'Atlas', 1.00, 10.00, NULL),
    (3, 1, NULL, 'line_note', 'Thank you', 0, 0, 0), (4, 2, 3, NULL, 'Mug', 4.00, 6.25, 20),
    (5, 3, 3, NULL, 'Mug', 2.00, 5.00, 0), (6, 4, 1, NULL, 'Atlas', 9.00, 11.00, 0),
    (7, 5, 1, NULL, 'Atlas', 7.00, 10.00, 0);
INSERT INTO rating_rating VALUES
    (1, 'product.template', 1, 1, 5, true, '2024-02-02'), (2, 'product.template', 2, 1, 2, true, '2024-02-02'),
    (3, 'product.template', 2, 2, 0, false, '2024-02-02'), (4, 'helpdesk.ticket', 1, 2, 1, true, '2024-02-02');
