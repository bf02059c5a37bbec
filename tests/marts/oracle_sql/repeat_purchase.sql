with buyers as (
    select customer_id, count(*) as orders from orders where is_counting group by customer_id
),
days as (
    select distinct customer_id, order_date from orders where is_counting
),
gaps as (
    select order_date - lag(order_date) over (partition by customer_id order by order_date) as days from days
)
select
    (select count(*) from buyers) as customers,
    (select count(*) from buyers where orders >= 2) as repeat_customers,
    (select sum((orders >= 2)::int)::float8 / nullif(count(*), 0)::float8 from buyers) as repeat_share,
    (select percentile_cont(0.5) within group (order by days) from gaps) as median_days_between_orders
