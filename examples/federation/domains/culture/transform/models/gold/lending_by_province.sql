-- Loans by year and province; late_percent counts what has come back. Few people could be recognised: fewer than ten are left out.
select
    year,
    province,
    count(*)::integer as loans,
    count(distinct borrower_id)::integer as borrowers,
    round(100.0 * count(*) filter (is_late) / nullif(count(*) filter (is_returned), 0), 1)::double as late_percent
from {{ ref('placed_loans') }}
group by year, province
having count(distinct borrower_id) >= 10
order by year, province
