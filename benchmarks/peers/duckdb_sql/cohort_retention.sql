WITH active AS (
    SELECT DISTINCT customer_id, date_trunc('month', order_date)::DATE AS month FROM orders WHERE is_counting
),
cohorts AS (
    SELECT customer_id, min(month) AS cohort_month FROM active GROUP BY customer_id
),
sizes AS (
    SELECT cohort_month, count(*) AS size FROM cohorts GROUP BY cohort_month
),
returned AS (
    SELECT cohort_month, month, count(*) AS customers FROM active JOIN cohorts USING (customer_id) GROUP BY ALL
),
months AS (
    SELECT unnest(generate_series(min(month), max(month), INTERVAL 1 MONTH))::DATE AS month FROM active
)
SELECT
    cohort_month,
    datediff('month', cohort_month, month) AS months_since,
    coalesce(customers, 0) AS customers,
    coalesce(customers, 0)::DOUBLE / size::DOUBLE AS retained_share
FROM sizes JOIN months ON month >= cohort_month LEFT JOIN returned USING (cohort_month, month)
ORDER BY cohort_month, months_since
