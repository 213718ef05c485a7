-- Recognised museums. Who directs them stays behind in raw.
select
    trim(museum_id) as museum_id,
    trim(name) as name,
    trim(category) as category,
    trim(nis_code) as nis_code,
    trim(postcode) as postcode,
    updated_at
from {{ current_keys(source('raw', 'museums'), 'museum_id') }}
