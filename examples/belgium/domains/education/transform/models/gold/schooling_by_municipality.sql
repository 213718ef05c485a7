-- Preschool and primary pupils against children of that age in each municipality of Wallonia, with its school sites.
with site as (
    select
        nis_code,
        school,
        street,
        postcode,
        bool_or(level = 'preschool') as has_preschool,
        bool_or(level = 'primary') as has_primary,
        bool_and(latitude is null) as has_no_coordinates
    from {{ ref('placed_sites') }}
    group by all
),

sites as (
    select
        nis_code,
        count(*) as school_sites,
        count(*) filter (has_preschool) as preschool_sites,
        count(*) filter (has_primary) as primary_sites,
        count(*) filter (has_no_coordinates) as sites_without_coordinates
    from site
    group by nis_code
)

select
    m.nis_code,
    m.name_fr as municipality,
    m.province,
    coalesce(p.preschool_pupils, 0)::integer as preschool_pupils,
    round(c.children_preschool_age, 1) as children_preschool_age,
    round(p.preschool_pupils / nullif(c.children_preschool_age, 0), 3)::double as preschool_rate,
    coalesce(p.primary_pupils, 0)::integer as primary_pupils,
    round(c.children_primary_age, 1) as children_primary_age,
    round(p.primary_pupils / nullif(c.children_primary_age, 0), 3)::double as primary_rate,
    coalesce(s.school_sites, 0)::integer as school_sites,
    coalesce(s.preschool_sites, 0)::integer as preschool_sites,
    coalesce(s.primary_sites, 0)::integer as primary_sites,
    coalesce(s.sites_without_coordinates, 0)::integer as sites_without_coordinates
from {{ source('statistical_office', 'municipalities') }} as m
left join {{ source('statistical_office', 'children_by_municipality') }} as c using (nis_code)
left join {{ ref('pupils_of_municipalities') }} as p using (nis_code)
left join sites as s using (nis_code)
where m.region = 'Région wallonne'
order by m.nis_code
