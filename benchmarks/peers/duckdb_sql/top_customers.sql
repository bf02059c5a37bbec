SELECT customer_id, name, country, total_amount_spent, total_orders
FROM customer_metrics
WHERE total_orders > 0
ORDER BY total_amount_spent DESC, customer_id
LIMIT 5
