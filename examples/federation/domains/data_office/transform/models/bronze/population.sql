-- Inhabitants by municipality and year.
select
    trim(nis_code) as nis_code,
    year,
    women,
    men,
    population
from {{ current_keys(source('raw', 'population'), 'nis_code, year') }}
