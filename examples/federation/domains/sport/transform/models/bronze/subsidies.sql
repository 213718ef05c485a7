-- Subsidies; here too the municipality stands once for all lines below it.
select
    {{ year_of_origin() }} as year,
    last_value(nullif(trim(municipality), '') ignore nulls) over (partition by _origin order by _row) as municipality,
    trim(club_id) as club_id,
    trim(club) as club,
    paid_on,
    amount_eur
from {{ current_rows(source('raw', 'subsidies')) }}
