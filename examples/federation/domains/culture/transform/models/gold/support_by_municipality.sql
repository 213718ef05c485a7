-- What culture pays in a municipality in the last year, beside what it protects there.
with paid as (
    select
        nis_code,
        sum(amount_eur) filter (grant_kind = 'operating') as operating_eur,
        sum(amount_eur) filter (grant_kind = 'project') as projects_eur
    from {{ ref('grants') }}
    where year = (select max(year) from {{ ref('grants') }})
    group by nis_code
),

protected as (
    select nis_code, count(*) as protected
    from {{ ref('heritage') }}
    group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    coalesce(p.operating_eur, 0)::double as operating_eur,
    coalesce(p.projects_eur, 0)::double as projects_eur,
    coalesce(h.protected, 0)::integer as protected
from {{ source('data_office', 'municipalities') }} as m
left join paid as p using (nis_code)
left join protected as h using (nis_code)
where p.nis_code is not null or h.nis_code is not null
order by m.nis_code
