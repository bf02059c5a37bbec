WITH singles AS (
    SELECT product_id, count(*) AS orders FROM held GROUP BY product_id
),
pairs AS (
    SELECT a.product_id AS a, b.product_id AS b, count(*) AS orders
    FROM held a JOIN held b ON a.order_id = b.order_id AND a.product_id < b.product_id
    GROUP BY ALL
    ORDER BY orders DESC, a, b
    LIMIT 20
),
baskets AS (
    SELECT count(*) AS n FROM orders SEMI JOIN order_items USING (order_id) WHERE is_counting
)
SELECT
    a.product_id AS product_a_id,
    a.product_name AS product_a_name,
    b.product_id AS product_b_id,
    b.product_name AS product_b_name,
    p.orders,
    p.orders::DOUBLE / n::DOUBLE AS support,
    p.orders::DOUBLE / sa.orders::DOUBLE AS confidence,
    (p.orders * n)::DOUBLE / (sa.orders * sb.orders)::DOUBLE AS lift
FROM pairs p
JOIN products a ON a.product_id = p.a
JOIN products b ON b.product_id = p.b
JOIN singles sa ON sa.product_id = p.a
JOIN singles sb ON sb.product_id = p.b
CROSS JOIN baskets
ORDER BY p.orders DESC, p.a, p.b
