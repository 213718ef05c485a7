-- Visits of the last version of each quarter's file.
select trim(library_id) as library_id, {{ french_day('month') }} as month, visits, loans, takings_eur
from {{ current_rows(source('raw', 'visits')) }}
