-- Visits by library and year, with the municipality.
select
    l.library_id,
    l.nis_code,
    year(v.month)::integer as year,
    sum(v.visits)::bigint as visits,
    sum(v.loans)::bigint as loans,
    sum(v.takings_eur)::double as takings_eur
from {{ ref('visits') }} as v
join {{ ref('libraries') }} as l using (library_id)
group by all
