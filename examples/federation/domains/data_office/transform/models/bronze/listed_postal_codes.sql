-- The postcodes of the last list, trimmed.
select trim(postcode) as postcode, trim(nis_code) as nis_code
from {{ current_rows(source('raw', 'postal_codes')) }}
