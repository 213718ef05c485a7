-- Legal holidays.
select
    day,
    trim(name) as name
from {{ current_keys(source('raw', 'public_holidays'), 'day') }}
