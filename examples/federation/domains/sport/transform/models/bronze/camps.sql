-- Camps of each summer. Who is in charge stays behind in raw.
select
    trim(camp_id) as camp_id,
    trim(club_id) as club_id,
    trim(discipline) as discipline,
    trim(nis_code) as nis_code,
    begins_on,
    ends_on,
    seats,
    enrolled,
    price_eur
from {{ current_rows(source('raw', 'camps')) }}
