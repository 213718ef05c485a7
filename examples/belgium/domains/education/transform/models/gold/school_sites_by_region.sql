-- Where every line of the school site file went.
select
    coalesce(region, 'unknown') as region,
    count(*)::integer as lines,
    count(*) filter (latitude is null)::integer as lines_without_coordinates,
    count(distinct (school, street, postcode))::integer as school_sites
from {{ ref('placed_sites') }}
group by all
