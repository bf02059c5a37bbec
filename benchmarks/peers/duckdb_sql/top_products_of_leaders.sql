WITH top AS (
    SELECT product_id, count(*) AS orders FROM held GROUP BY product_id ORDER BY orders DESC, product_id LIMIT 5
)
SELECT
    product_id,
    product_name,
    orders,
    sum(quantity)::BIGINT AS units,
    sum(quantity * price)::DECIMAL(38, 2) AS revenue
FROM order_items
JOIN top USING (product_id)
SEMI JOIN (SELECT order_id FROM orders WHERE is_counting) USING (order_id)
JOIN products USING (product_id)
GROUP BY product_id, product_name, orders
ORDER BY orders DESC, product_id
