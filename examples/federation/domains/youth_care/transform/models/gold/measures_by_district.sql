-- How many measures of each kind each district has taken. Small counts are in it: whoever publishes must take them out first.
select
    m.district,
    m.kind,
    c.label_fr,
    count(*)::integer as measures,
    round(avg(m.days), 1)::double as mean_days
from {{ ref('measures_in_districts') }} as m
join {{ source('data_office', 'codes') }} as c on c.list = 'care_measure' and c.code = m.kind
group by all
order by m.district, m.kind
