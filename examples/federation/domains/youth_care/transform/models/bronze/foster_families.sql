-- Families of the newest file, without who they are.
select
    trim(number) as number,
    trim(postcode) as postcode,
    trim(municipality) as municipality,
    places,
    accredited_on
from {{ current_keys(source('raw', 'foster_families'), 'number') }}
