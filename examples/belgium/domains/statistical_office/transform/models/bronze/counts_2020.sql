-- Inhabitants of every level, from the country to the municipality.
select trim(nis_code) as nis_code, trim(name_nl) as name_nl, men, women, inhabitants
from {{ current_rows(source('raw', 'population_2020')) }}
