with counting as (
    select date_trunc('month', order_date)::date as month, total_amount from orders where is_counting
),
months as (
    select generate_series(min(month), max(month), interval '1 month')::date as month from counting
),
sold as (
    select m.month, coalesce(sum(c.total_amount), 0) as revenue, count(c.total_amount) as orders
    from months m
    left join counting c using (month)
    group by m.month
)
select
    s.month,
    s.revenue,
    s.orders,
    case
        when s.orders > 0 then sign(s.revenue) * div(2 * abs(s.revenue) * 100 + s.orders, 2 * s.orders) / 100
    end as average_order_value,
    case
        when b.revenue > 0 then (s.revenue - b.revenue)::float8 / b.revenue::float8
    end as growth_share
from sold s
left join sold b on b.month = s.month - interval '1 month'
order by s.month
