-- One row per municipality of Wallonia and Brussels, those without school or pupil too.
with pupils as (
    select
        nis_code,
        count(*) as pupils,
        count(*) filter (level = 'preschool') as preschool,
        count(*) filter (level = 'primary') as primary_school,
        count(*) filter (level = 'secondary') as secondary
    from {{ ref('placed_pupils') }}
    group by nis_code
),

schools as (
    select nis_code, count(*) as schools from {{ ref('placed_schools') }} group by nis_code
),

staff as (
    select s.nis_code, sum(f.hours_per_week) as staff_hours
    from {{ ref('staff') }} as f
    join {{ ref('placed_schools') }} as s using (school_id)
    group by s.nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    m.province,
    coalesce(s.schools, 0)::integer as schools,
    coalesce(p.pupils, 0)::integer as pupils,
    coalesce(p.preschool, 0)::integer as preschool,
    coalesce(p.primary_school, 0)::integer as primary_school,
    coalesce(p.secondary, 0)::integer as secondary,
    coalesce(f.staff_hours, 0)::double as staff_hours
from {{ source('data_office', 'municipalities') }} as m
left join pupils as p using (nis_code)
left join schools as s using (nis_code)
left join staff as f using (nis_code)
where m.region in ('Région wallonne', 'Région de Bruxelles-Capitale')
order by m.nis_code
