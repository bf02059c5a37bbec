with sold as (
    select
        c.country,
        coalesce(sum(o.total_amount), 0) as revenue,
        count(o.order_id) as orders,
        count(distinct o.customer_id) as customers
    from customers c
    left join orders o on o.customer_id = c.customer_id and o.is_counting
    group by c.country
)
select
    country,
    revenue,
    orders,
    customers,
    case
        when orders > 0 then sign(revenue) * div(2 * abs(revenue) * 100 + orders, 2 * orders) / 100
    end as average_order_value
from sold
order by revenue desc, country collate "C"
