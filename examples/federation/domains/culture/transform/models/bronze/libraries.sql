-- Libraries of the last list; the day of opening is written in words.
select
    trim(library_id) as library_id,
    trim(name) as name,
    trim(kind) as kind,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    surface_m2,
    {{ french_day('opened') }} as opened_on,
    trim(manager) as manager
from {{ current_rows(source('raw', 'libraries')) }}
