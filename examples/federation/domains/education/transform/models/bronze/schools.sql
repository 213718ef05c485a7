-- Schools of the last load, with the spaces that people type gone.
select
    school_id,
    trim(name) as name,
    lower(trim(network)) as network,
    lower(trim(level)) as level,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    opened_on,
    updated_at
from {{ current_rows(source('raw', 'schools')) }}
