-- Visits to the services; who visited stays behind in raw.
select
    trim(title) as title,
    trim(service_code) as service_code,
    visited_on,
    trim(opinion) as opinion,
    trim(file) as file
from {{ current_keys(source('raw', 'visits'), 'title') }}
