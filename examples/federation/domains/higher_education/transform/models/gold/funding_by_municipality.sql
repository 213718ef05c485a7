-- Money for research by municipality: one row for each that has an institution.
with grants as (
    select nis_code, count(*) as grants, sum(amount_eur) as amount_eur from {{ ref('placed_grants') }} group by nis_code
),

publications as (
    select nis_code, count(*) as publications from {{ ref('placed_publications') }} group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    m.province,
    count(*)::integer as institutions,
    coalesce(any_value(g.grants), 0)::integer as grants,
    coalesce(any_value(g.amount_eur), 0)::double as amount_eur,
    coalesce(any_value(p.publications), 0)::integer as publications
from {{ ref('institutions') }} as i
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join grants as g using (nis_code)
left join publications as p using (nis_code)
group by m.nis_code, m.name_fr, m.province
order by m.nis_code
