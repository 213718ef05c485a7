-- The register as the newest export has it.
select club_id, enterprise_number, name, discipline, nis_code, members, fee_eur, founded_on, is_active
from {{ ref('club_exports') }}
where year = (select max(year) from {{ ref('club_exports') }})
