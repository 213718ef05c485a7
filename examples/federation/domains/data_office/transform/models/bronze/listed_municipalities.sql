-- The municipalities of the last list, trimmed.
select
    trim(nis_code) as nis_code,
    trim(name_fr) as name_fr,
    trim(name_nl) as name_nl,
    nullif(trim(province), '') as province,
    trim(region) as region
from {{ current_rows(source('raw', 'municipalities')) }}
