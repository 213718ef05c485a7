-- The rhythm of the year: libraries empty in summer. A month in which few report is not a month in which few read.
select
    month,
    count(*)::integer as libraries,
    sum(visits)::bigint as visits,
    sum(loans)::bigint as loans,
    round(sum(visits) / count(*), 1)::double as visits_per_library
from {{ ref('trusted_visits') }}
group by month
order by month
