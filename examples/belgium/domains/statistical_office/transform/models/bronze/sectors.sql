-- How staff worked by sector.
select trim(sector) as sector, telework, mixed, at_workplace, temporary_unemployed, absent, upper(trim(industry)) as industry
from {{ current_rows(source('raw', 'staff_distribution')) }}
