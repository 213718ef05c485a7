-- Clubs of the last file, dates and fees made real.
select
    trim(club_id) as club_id,
    trim(name) as name,
    trim(discipline) as discipline,
    trim(nis_code) as nis_code,
    members,
    replace(fee_eur, ',', '.')::decimal(9, 2) as fee_eur,
    strptime(founded, '%d/%m/%Y')::date as founded_on,
    is_active
from {{ current_rows(source('raw', 'clubs')) }}
