-- School transport by municipality of the school and school year, which begins in September.
with by_circuit as (
    select
        s.nis_code,
        year(t.month - interval 8 month) as start,
        t.circuit,
        avg(t.pupils) as pupils,
        sum(t.kilometres) as kilometres,
        sum(t.cost_eur) as cost_eur
    from {{ ref('transport') }} as t
    join {{ ref('placed_schools') }} as s using (school_id)
    group by all
)

select
    m.nis_code,
    c.start || '-' || (c.start + 1) as school_year,
    m.name_fr as municipality,
    count(*)::integer as circuits,
    round(sum(c.pupils), 1)::double as pupils_per_day,
    round(sum(c.kilometres), 1)::double as kilometres,
    round(sum(c.cost_eur), 2)::double as cost_eur,
    round(sum(c.cost_eur) / sum(c.pupils), 2)::double as cost_per_pupil_eur
from by_circuit as c
join {{ source('data_office', 'municipalities') }} as m using (nis_code)
group by m.nis_code, c.start, m.name_fr
order by m.nis_code, school_year
