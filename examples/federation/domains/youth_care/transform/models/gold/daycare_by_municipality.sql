-- Day care by municipality and year. A count below zero is a fault of the source that its test tells: it is left out.
select
    d.nis_code,
    year(d.month)::integer as year,
    m.name_fr as municipality,
    sum(d.places) filter (d.month = d.last_month)::integer as places,
    sum(d.child_days) filter (d.child_days >= 0)::integer as child_days,
    round(avg(d.mean_fee_eur), 2)::double as mean_fee_eur
from (select *, max(month) over (partition by nis_code, year(month)) as last_month from {{ ref('daycare') }}) as d
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
group by all
order by d.nis_code, year
