-- What works cost in a municipality, against how much infrastructure it has.
with there as (
    select nis_code, count(*) as facilities, sum(surface_m2) as surface_m2
    from {{ ref('infrastructure') }}
    group by nis_code
),

paid as (
    select nis_code, count(*) as works, sum(amount_eur) as works_eur
    from {{ ref('placed_works') }}
    group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    t.facilities::integer as facilities,
    round(t.surface_m2, 1)::double as surface_m2,
    coalesce(p.works, 0)::integer as works,
    coalesce(p.works_eur, 0)::double as works_eur
from there as t
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join paid as p using (nis_code)
order by m.nis_code
