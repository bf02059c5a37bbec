SELECT
    status,
    count(*) AS orders,
    sum(total_amount)::DECIMAL(38, 2) AS amount,
    count(*)::DOUBLE / (SELECT count(*) FROM orders)::DOUBLE AS orders_share,
    count(*) FILTER (WHERE is_counting) AS counting_orders
FROM orders
GROUP BY status
ORDER BY orders DESC, status
