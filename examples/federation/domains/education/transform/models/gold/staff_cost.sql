-- What the staff of the ministry's own network cost, by month and pay scale.
select
    month,
    pay_scale,
    job,
    count(*)::integer as staff,
    round(sum(gross_amount), 2)::double as gross_amount_eur,
    month(month) in (5, 6, 12) as is_bonus_month
from {{ ref('paid_lines') }}
group by month, pay_scale, job
order by month, pay_scale
