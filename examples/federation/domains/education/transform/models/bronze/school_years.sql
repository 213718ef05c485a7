-- School years of the last calendar.
select school_year, first_day, last_day
from {{ current_rows(source('raw', 'school_years')) }}
