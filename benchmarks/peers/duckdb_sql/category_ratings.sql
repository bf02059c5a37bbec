SELECT
    c.category_id,
    c.category_name,
    sum(r.rating)::DOUBLE / nullif(count(r.rating), 0)::DOUBLE AS average_rating,
    count(r.rating) AS reviews
FROM categories c
LEFT JOIN products p USING (category_id)
LEFT JOIN reviews r USING (product_id)
GROUP BY c.category_id, c.category_name
ORDER BY average_rating DESC NULLS LAST, c.category_id
