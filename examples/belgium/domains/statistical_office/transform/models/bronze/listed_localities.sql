-- Localities; some lack a postcode, some a NIS code.
select
    trim(name) as name,
    try_cast(nullif(trim(postcode), '') as integer) as postcode,
    nullif(trim(nis_code), '') as nis_code
from {{ current_rows(source('raw', 'localities')) }}
