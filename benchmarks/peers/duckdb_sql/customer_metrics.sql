WITH units_by_order AS (
    SELECT order_id, sum(quantity) AS units FROM order_items GROUP BY order_id
),
spent AS (
    SELECT
        customer_id,
        sum(total_amount) AS total_amount_spent,
        count(*) AS total_orders,
        sum(units) AS units
    FROM orders LEFT JOIN units_by_order USING (order_id)
    WHERE is_counting
    GROUP BY customer_id
),
rated AS (
    SELECT customer_id, sum(rating)::DOUBLE / count(*)::DOUBLE AS average_rating FROM reviews GROUP BY customer_id
)
SELECT
    customer_id,
    name,
    email,
    country,
    coalesce(total_amount_spent, 0)::DECIMAL(38, 2) AS total_amount_spent,
    coalesce(total_orders, 0)::BIGINT AS total_orders,
    -- In whole cents, half up.
    (((2 * (total_amount_spent * 100)::BIGINT + total_orders) // (2 * total_orders))::DECIMAL(30, 0) * 0.01)::DECIMAL(38, 2)
        AS average_order_value,
    coalesce(units, 0)::BIGINT AS total_products_ordered,
    average_rating
FROM customers LEFT JOIN spent USING (customer_id) LEFT JOIN rated USING (customer_id)
