-- Measures with the district that leads the case. Who the child is, who leads the case and what was paid stay behind in bronze.
select
    m.measure_id,
    c.district,
    m.kind,
    m.place,
    m.began_on,
    m.ended_on,
    date_diff('day', m.began_on, m.ended_on) as days
from {{ ref('measures') }} as m
join {{ ref('cases') }} as c using (case_id)
