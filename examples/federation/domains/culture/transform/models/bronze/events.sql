-- Events as the agenda has them now.
select
    trim(event_id) as event_id,
    trim(title) as title,
    trim(kind) as kind,
    begins_on,
    trim(nis_code) as nis_code,
    trim(municipality) as municipality,
    trim(organiser) as organiser,
    trim(organiser_number) as organiser_number,
    trim(audience) as audience,
    price_eur,
    seats,
    longitude,
    latitude,
    updated_at
from {{ current_keys(source('raw', 'events'), 'event_id') }}
