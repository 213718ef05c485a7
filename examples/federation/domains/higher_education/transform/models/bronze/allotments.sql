-- What institutions are allotted by year.
select
    year,
    trim(institution_id) as institution_id,
    allotment_eur,
    trim(decree) as decree
from {{ current_keys(source('raw', 'allotments'), 'year, institution_id') }}
