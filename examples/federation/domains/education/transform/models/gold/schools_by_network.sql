-- Schools with their pupils and sites by network and level; a school with an unknown code is in no line.
with pupils as (
    select school_id, count(*) as pupils from {{ ref('placed_pupils') }} group by school_id
),

sites as (
    select school_id, count(*) as sites, sum(capacity) as capacity, sum(surface_m2) as surface_m2
    from {{ ref('sites') }}
    group by school_id
)

select
    s.network,
    s.level,
    n.label_fr as network_fr,
    l.label_fr as level_fr,
    count(*)::integer as schools,
    coalesce(sum(p.pupils), 0)::integer as pupils,
    coalesce(sum(i.sites), 0)::integer as sites,
    coalesce(sum(i.capacity), 0)::integer as capacity,
    coalesce(round(sum(i.surface_m2), 1), 0)::double as surface_m2
from {{ ref('placed_schools') }} as s
join {{ source('data_office', 'codes') }} as n on n.list = 'school_network' and n.code = s.network
join {{ source('data_office', 'codes') }} as l on l.list = 'school_level' and l.code = s.level
left join pupils as p using (school_id)
left join sites as i using (school_id)
group by s.network, s.level, n.label_fr, l.label_fr
order by s.network, s.level
