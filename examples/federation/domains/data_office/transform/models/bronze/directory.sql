-- Who is in service, and for which data; names stay behind in raw.
select
    trim(staff_number) as staff_number,
    trim(person) as person,
    trim(service) as service,
    trim(title) as title,
    nullif(trim(role), '') as role,
    entered_on
from {{ current_keys(source('raw', 'directory'), 'staff_number') }}
