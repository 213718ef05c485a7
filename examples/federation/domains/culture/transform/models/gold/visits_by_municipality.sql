-- Use of libraries against pupils: this joins the gold of another domain, education.
with latest as (
    select nis_code, count(*) as libraries, sum(visits) as visits, sum(loans) as loans
    from {{ ref('yearly_visits') }}
    where year = (select max(year) from {{ ref('yearly_visits') }})
    group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    v.libraries::integer as libraries,
    v.visits::bigint as visits,
    v.loans::bigint as loans,
    coalesce(p.pupils, 0)::integer as pupils,
    round(v.visits / nullif(p.pupils, 0), 1)::double as visits_per_pupil
from latest as v
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join {{ source('education', 'pupils_by_municipality') }} as p using (nis_code)
order by m.nis_code
