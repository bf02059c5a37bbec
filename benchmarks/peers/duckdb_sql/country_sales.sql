SELECT
    country,
    sum(total_amount_spent)::DECIMAL(38, 2) AS revenue,
    sum(total_orders)::BIGINT AS orders,
    count(*) FILTER (total_orders > 0) AS customers,
    (((2 * (sum(total_amount_spent) * 100)::BIGINT + sum(total_orders)) // (2 * nullif(sum(total_orders), 0)))
        ::DECIMAL(30, 0) * 0.01)::DECIMAL(38, 2) AS average_order_value
FROM customer_metrics
GROUP BY country
ORDER BY revenue DESC, country
