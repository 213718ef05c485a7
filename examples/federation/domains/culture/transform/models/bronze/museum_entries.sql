-- Entries by museum and month; the month becomes its first day.
select
    trim(entry_id) as entry_id,
    trim(museum_id) as museum_id,
    strptime(month, '%Y-%m')::date as month,
    paid,
    free,
    schools,
    updated_at
from {{ current_keys(source('raw', 'museum_entries'), 'entry_id') }}
