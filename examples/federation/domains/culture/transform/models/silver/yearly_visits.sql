-- Visits by library and year, with the municipality.
select
    library_id,
    nis_code,
    year(month)::integer as year,
    sum(visits)::bigint as visits,
    sum(loans)::bigint as loans,
    sum(takings_eur)::double as takings_eur
from {{ ref('trusted_visits') }}
group by all
