WITH sold AS (
    SELECT date_trunc('month', order_date)::DATE AS month, sum(total_amount) AS revenue, count(*) AS orders
    FROM orders WHERE is_counting GROUP BY ALL
),
months AS (
    SELECT unnest(generate_series(min(month), max(month), INTERVAL 1 MONTH))::DATE AS month FROM sold
),
filled AS (
    SELECT month, coalesce(revenue, 0) AS revenue, coalesce(orders, 0) AS orders
    FROM months LEFT JOIN sold USING (month)
)
SELECT
    month,
    revenue::DECIMAL(38, 2) AS revenue,
    orders,
    (((2 * (revenue * 100)::BIGINT + orders) // (2 * nullif(orders, 0)))::DECIMAL(30, 0) * 0.01)::DECIMAL(38, 2)
        AS average_order_value,
    (revenue - lag(revenue) OVER by_month)::DOUBLE / nullif(lag(revenue) OVER by_month, 0)::DOUBLE AS growth_share
FROM filled
WINDOW by_month AS (ORDER BY month)
ORDER BY month
