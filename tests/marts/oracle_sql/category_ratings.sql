select
    c.category_id,
    c.category_name,
    sum(r.rating)::float8 / nullif(count(r.review_id), 0)::float8 as average_rating,
    count(r.review_id) as reviews
from categories c
left join products p using (category_id)
left join reviews r using (product_id)
group by c.category_id, c.category_name
order by average_rating desc nulls last, c.category_id
