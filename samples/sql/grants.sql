-- What shopsight needs of PostgreSQL, and no more: a role that may connect and read the six tables.
--
--     psql --set ON_ERROR_STOP=1 --file grants.sql postgresql://owner@host/database
--     psql --command '\password shopsight_reader' postgresql://owner@host/database
--
-- For tables in another schema than public, change its name in the last two statements. Running the file again
-- changes nothing. New tables are not granted, and neither is anything that other schemas hold.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shopsight_reader') THEN
        CREATE ROLE shopsight_reader LOGIN NOINHERIT;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO shopsight_reader', current_database());
END
$$;

-- A second lock on the same door: even where PUBLIC was granted more, the role's transactions only read.
ALTER ROLE shopsight_reader SET default_transaction_read_only = on;

GRANT USAGE ON SCHEMA public TO shopsight_reader;

GRANT SELECT ON public.categories, public.products, public.customers, public.orders, public.order_items, public.reviews
    TO shopsight_reader;
