-- Sites of the last edition: each year's file has all of them.
select
    trim(site_id) as site_id,
    school_id,
    trim(name) as name,
    trim(street) as street,
    trim(postcode) as postcode,
    trim(nis_code) as nis_code,
    surface_m2,
    capacity,
    built_in,
    energy_label
from {{ source('raw', 'sites') }}
qualify rank() over (order by edition desc, _load desc) = 1
