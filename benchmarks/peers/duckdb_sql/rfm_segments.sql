WITH last_orders AS (
    SELECT customer_id, max(order_date) AS last_date FROM orders WHERE is_counting GROUP BY customer_id
),
scores AS (
    SELECT
        total_amount_spent AS amount,
        1 + 5 * (rank() OVER (ORDER BY last_date) - 1) // count(*) OVER () AS r,
        1 + 5 * (rank() OVER (ORDER BY total_orders) - 1) // count(*) OVER () AS f,
        1 + 5 * (rank() OVER (ORDER BY total_amount_spent) - 1) // count(*) OVER () AS m
    FROM customer_metrics JOIN last_orders USING (customer_id)
),
valued AS (
    SELECT amount, r, (f + m + 1) // 2 AS v FROM scores
),
named AS (
    SELECT
        amount,
        CASE
            WHEN r = 5 AND v >= 4 THEN 1
            WHEN r >= 3 AND v >= 4 THEN 2
            WHEN r >= 4 AND v IN (2, 3) THEN 3
            WHEN r = 5 AND v = 1 THEN 4
            WHEN r = 4 AND v = 1 THEN 5
            WHEN r = 3 AND v = 3 THEN 6
            WHEN r = 3 THEN 7
            WHEN v = 5 THEN 9
            WHEN v IN (3, 4) THEN 8
            ELSE 10
        END AS place
    FROM valued
)
SELECT
    ['Champions', 'Loyal', 'Potential loyalists', 'New customers', 'Promising', 'Needing attention',
     'About to sleep', 'At risk', 'Can''t lose', 'Hibernating'][place] AS segment,
    count(*) AS customers,
    sum(amount)::DECIMAL(38, 2) AS revenue,
    count(*)::DOUBLE / (SELECT count(*) FROM named)::DOUBLE AS customers_share,
    sum(amount)::DOUBLE / (SELECT sum(amount) FROM named)::DOUBLE AS revenue_share
FROM named
GROUP BY place
ORDER BY place
