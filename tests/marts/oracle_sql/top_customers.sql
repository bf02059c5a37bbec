select c.customer_id, c.name, c.country, sum(o.total_amount) as total_amount_spent, count(*) as total_orders
from customers c
join orders o using (customer_id)
where o.is_counting
group by c.customer_id, c.name, c.country
order by total_amount_spent desc, c.customer_id
limit %(top_n)s
