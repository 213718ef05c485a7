-- Visits of the last version of each file; what is wrong in them stays, and the tests say so.
select trim(library_id) as library_id, {{ french_day('month') }} as month, visits, loans, takings_eur
from {{ current_rows(source('raw', 'visits')) }}
