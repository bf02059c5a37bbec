with counting as (
    select customer_id, date_trunc('month', order_date)::date as month from orders where is_counting
),
cohorts as (
    select customer_id, min(month) as cohort_month from counting group by customer_id
),
cells as (
    select k.cohort_month, generate_series(k.cohort_month, l.month, interval '1 month')::date as month
    from (select distinct cohort_month from cohorts) k
    cross join (select max(month) as month from counting) l
)
select
    e.cohort_month,
    (12 * (extract(year from e.month) - extract(year from e.cohort_month))
        + extract(month from e.month) - extract(month from e.cohort_month))::bigint as months_since,
    count(distinct c.customer_id) as customers,
    count(distinct c.customer_id)::float8
        / (select count(*) from cohorts z where z.cohort_month = e.cohort_month)::float8 as retained_share
from cells e
join cohorts k using (cohort_month)
left join counting c on c.customer_id = k.customer_id and c.month = e.month
group by e.cohort_month, e.month
order by e.cohort_month, e.month
