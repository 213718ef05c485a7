-- Every export of the register, dates and fees made real. Who answers for a club stays in raw.
select
    {{ year_of_origin() }} as year,
    trim(club_id) as club_id,
    trim(enterprise_number) as enterprise_number,
    trim(name) as name,
    trim(discipline) as discipline,
    trim(nis_code) as nis_code,
    members,
    replace(fee_eur, ',', '.')::decimal(9, 2) as fee_eur,
    strptime(founded, '%d/%m/%Y')::date as founded_on,
    is_active
from {{ current_rows(source('raw', 'clubs')) }}
