with held as (
    select distinct i.order_id, i.product_id from order_items i join orders o using (order_id) where o.is_counting
),
singles as (
    select product_id, count(*) as orders from held group by product_id
),
pairs as (
    select a.product_id as a, b.product_id as b, count(*) as orders
    from held a
    join held b on a.order_id = b.order_id and a.product_id < b.product_id
    group by a.product_id, b.product_id
),
baskets as (
    select count(distinct order_id) as n from held
)
select
    a.product_id as product_a_id,
    a.product_name as product_a_name,
    b.product_id as product_b_id,
    b.product_name as product_b_name,
    p.orders,
    p.orders::float8 / n::float8 as support,
    p.orders::float8 / sa.orders::float8 as confidence,
    (p.orders * n)::float8 / (sa.orders * sb.orders)::float8 as lift
from pairs p
join products a on a.product_id = p.a
join products b on b.product_id = p.b
join singles sa on sa.product_id = p.a
join singles sb on sb.product_id = p.b
cross join baskets
order by p.orders desc, p.a, p.b
limit %(basket_pairs_n)s
