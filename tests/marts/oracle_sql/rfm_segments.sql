with buyers as (
    select
        customer_id,
        max(order_date) as last_date,
        count(*) as orders,
        sum(total_amount) as amount
    from orders
    where is_counting
    group by customer_id
),
scores as (
    select
        customer_id,
        amount,
        -- The share of rows before the current one and its peers, in fifths.
        1 + 5 * (rank() over (order by last_date) - 1) / count(*) over () as r,
        1 + 5 * (rank() over (order by orders) - 1) / count(*) over () as f,
        1 + 5 * (rank() over (order by amount) - 1) / count(*) over () as m
    from buyers
),
valued as (
    select amount, r, ceil((f + m) / 2.0) as v from scores
),
named as (
    select
        amount,
        case
            when r = 5 and v >= 4 then 1
            when r >= 3 and v >= 4 then 2
            when r >= 4 and v in (2, 3) then 3
            when r = 5 and v = 1 then 4
            when r = 4 and v = 1 then 5
            when r = 3 and v = 3 then 6
            when r = 3 then 7
            when v = 5 then 9
            when v in (3, 4) then 8
            else 10
        end as place
    from valued
)
select
    (array['Champions', 'Loyal', 'Potential loyalists', 'New customers', 'Promising', 'Needing attention',
           'About to sleep', 'At risk', 'Can''t lose', 'Hibernating'])[place] as segment,
    count(*) as customers,
    sum(amount) as revenue,
    count(*)::float8 / (select count(*) from named)::float8 as customers_share,
    case
        when (select sum(amount) from named) > 0
        then sum(amount)::float8 / (select sum(amount) from named)::float8
    end as revenue_share
from named
group by place
order by place
