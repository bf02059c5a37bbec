WITH buyers AS (
    SELECT count(*) AS customers, count(*) FILTER (total_orders > 1) AS repeat_customers
    FROM customer_metrics WHERE total_orders > 0
),
gaps AS (
    SELECT order_date - lag(order_date) OVER (PARTITION BY customer_id ORDER BY order_date) AS days
    FROM orders WHERE is_counting
)
SELECT
    customers,
    repeat_customers,
    repeat_customers::DOUBLE / nullif(customers, 0)::DOUBLE AS repeat_share,
    (SELECT median(days)::DOUBLE FROM gaps WHERE days > 0) AS median_days_between_orders
FROM buyers
