-- The register as the newest export has it.
select * exclude (year)
from {{ ref('club_exports') }}
where year = (select max(year) from {{ ref('club_exports') }})
