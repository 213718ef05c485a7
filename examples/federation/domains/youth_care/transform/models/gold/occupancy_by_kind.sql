-- How full the services are, by kind and month.
select
    p.kind,
    p.month,
    c.label_fr,
    sum(p.places)::integer as places,
    sum(p.occupied)::integer as occupied,
    round(100.0 * sum(p.occupied) / sum(p.places), 1)::double as occupancy_percent
from {{ ref('placements') }} as p
join {{ source('data_office', 'codes') }} as c on c.list = 'care_place' and c.code = p.kind
group by all
order by p.kind, p.month
