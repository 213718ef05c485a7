-- Licences; what a physician noted stays behind in raw.
select
    licence_id,
    holder_id,
    trim(club_id) as club_id,
    trim(discipline) as discipline,
    trim(season) as season,
    issued_on,
    fee_eur,
    updated_at
from {{ current_keys(source('raw', 'licences'), 'licence_id') }}
