select
    p.product_id,
    p.product_name,
    count(distinct i.order_id) as orders,
    sum(i.quantity)::bigint as units,
    sum(i.quantity * i.price) as revenue
from order_items i
join orders o using (order_id)
join products p using (product_id)
where o.is_counting
group by p.product_id, p.product_name
order by orders desc, p.product_id
limit %(top_n)s
