-- What can be counted: once for each library and month, of libraries that are in the list, within the range that was promised.
select v.library_id, l.nis_code, v.month, v.visits, v.loans, v.takings_eur
from {{ ref('visits') }} as v
join {{ ref('libraries') }} as l using (library_id)
where v.visits between 0 and 20000
qualify row_number() over (partition by v.library_id, v.month order by v.visits desc) = 1
