-- Stays abroad, each once.
select distinct mobility_id, academic_year, study_domain, country, months
from {{ ref('mobility') }}
