-- Holidays of the last calendar.
select school_year, trim(holiday) as holiday, first_day, last_day
from {{ current_rows(source('raw', 'holidays')) }}
