-- Subsidies; the municipality is a merged cell, so only its first line has it: carry it down to the next.
select
    last_value(nullif(trim(municipality), '') ignore nulls) over (partition by _origin order by _row) as municipality,
    trim(club_id) as club_id,
    trim(club) as club,
    paid_on,
    amount_eur
from {{ current_rows(source('raw', 'subsidies')) }}
