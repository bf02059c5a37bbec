select
    status,
    count(*) as orders,
    sum(total_amount) as amount,
    count(*)::float8 / (select count(*) from orders)::float8 as orders_share,
    count(*) filter (where is_counting) as counting_orders
from orders
group by status
order by orders desc, status collate "C"
