-- What was given, without who gave it: titles and remarks name people and stay behind in raw.
select
    id,
    trim(reference) as reference,
    trim(dates) as dates,
    linear_metres,
    modified
from {{ current_keys(source('raw', 'archives'), 'id') }}
