-- Stays abroad of each academic year. Names and remarks stay behind in raw.
select
    trim(mobility_id) as mobility_id,
    trim(academic_year) as academic_year,
    trim(institution_id) as institution_id,
    lower(trim(study_domain)) as study_domain,
    upper(trim(country)) as country,
    leaves_on,
    months,
    grant_eur::decimal(12, 2) as grant_eur
from {{ current_rows(source('raw', 'mobility')) }}
