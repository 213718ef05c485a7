-- Calls by day and theme.
select
    day,
    calls,
    answered,
    mean_wait_s,
    calls_violence,
    calls_school,
    calls_family,
    calls_health,
    calls_network,
    updated_at
from {{ current_keys(source('raw', 'hotline_calls'), 'day') }}
