-- Visits of the inspection; who inspected stays behind in raw.
select
    trim(id) as id,
    school_id,
    visited_on,
    trim(subject) as subject,
    trim(outcome) as outcome,
    modified
from {{ current_keys(source('raw', 'inspection_visits'), 'id') }}
