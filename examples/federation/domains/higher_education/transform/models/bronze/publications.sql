-- Publications of the archive and of each month since. Authors stay behind in raw.
select
    trim(handle) as handle,
    trim(title) as title,
    lower(trim(kind)) as kind,
    trim(institution_id) as institution_id,
    lower(trim(study_domain)) as study_domain,
    year,
    doi,
    deposited_at::date as deposited_on
from {{ current_rows(source('raw', 'publications')) }}
