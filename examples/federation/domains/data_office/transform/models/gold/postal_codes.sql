-- One municipality per postcode, to place an address without NIS code; three postcodes belong to two.
select postcode, min(nis_code) as nis_code, count(*) > 1 as is_shared
from {{ ref('listed_postal_codes') }}
group by postcode
