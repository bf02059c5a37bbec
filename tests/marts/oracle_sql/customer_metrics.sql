-- One row per customer, each figure asked for by itself: nothing is joined, so nothing can fan out.
select
    c.customer_id,
    c.name,
    c.email,
    c.country,
    spent.amount as total_amount_spent,
    spent.orders as total_orders,
    case
        when spent.orders > 0
        -- In whole numbers: the greatest quotient that is not above the exact one by more than half a cent.
        then sign(spent.amount) * div(2 * abs(spent.amount) * 100 + spent.orders, 2 * spent.orders) / 100
    end as average_order_value,
    (
        select coalesce(sum(i.quantity), 0)::bigint
        from order_items i
        where i.order_id in (select o.order_id from orders o where o.customer_id = c.customer_id and o.is_counting)
    ) as total_products_ordered,
    (
        select sum(r.rating)::float8 / count(*)::float8 from reviews r where r.customer_id = c.customer_id
    ) as average_rating
from customers c
cross join lateral (
    select coalesce(sum(o.total_amount), 0) as amount, count(*) as orders
    from orders o
    where o.customer_id = c.customer_id and o.is_counting
) spent
order by c.customer_id
