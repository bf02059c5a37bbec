SELECT
    product_id,
    product_name,
    count(DISTINCT order_id) AS orders,
    sum(quantity)::BIGINT AS units,
    sum(quantity * price)::DECIMAL(38, 2) AS revenue
FROM order_items SEMI JOIN (SELECT order_id FROM orders WHERE is_counting) USING (order_id)
JOIN products USING (product_id)
GROUP BY product_id, product_name
ORDER BY orders DESC, product_id
LIMIT 5
