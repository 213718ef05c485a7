-- Clubs against pupils in each municipality of Wallonia and Brussels; pupils come from education's gold.
with clubs as (
    select nis_code, count(*) as clubs, sum(members) as members, sum(subsidies_eur) as subsidies_eur
    from {{ ref('supported_clubs') }}
    where is_active
    group by nis_code
),

halls as (
    select nis_code, sum(school_visits + club_visits + public_visits) as hall_visits
    from {{ ref('known_attendance') }}
    group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    coalesce(c.clubs, 0)::integer as clubs,
    coalesce(c.members, 0)::integer as members,
    coalesce(c.subsidies_eur, 0)::double as subsidies_eur,
    coalesce(h.hall_visits, 0)::bigint as hall_visits,
    p.pupils,
    round(1000.0 * coalesce(c.clubs, 0) / nullif(p.pupils, 0), 2)::double as clubs_per_1000_pupils
from {{ source('education', 'pupils_by_municipality') }} as p
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
left join clubs as c using (nis_code)
left join halls as h using (nis_code)
order by m.nis_code
