-- Families of the newest file, without who they are.
select
    trim(number) as number,
    trim(postcode) as postcode,
    trim(municipality) as municipality,
    places,
    accredited_on
from {{ current_rows(source('raw', 'foster_families')) }}
qualify row_number() over (partition by trim(number) order by _origin desc) = 1
