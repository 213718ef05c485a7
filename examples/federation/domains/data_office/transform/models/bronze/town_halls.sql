-- Where each municipality can be reached.
select
    trim(nis_code) as nis_code,
    trim(municipality) as municipality,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(email) as email,
    trim(telephone) as telephone
from {{ current_keys(source('raw', 'town_halls'), 'nis_code') }}
