-- Canteens as the service has them now.
select
    trim(canteen_id) as canteen_id,
    school_id,
    places,
    own_kitchen,
    price_eur,
    updated_at
from {{ current_keys(source('raw', 'canteens'), 'canteen_id') }}
