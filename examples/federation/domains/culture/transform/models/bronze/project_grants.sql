-- What projects are paid.
select
    {{ year_of_origin() }} as year,
    trim(dossier) as dossier,
    trim(enterprise_number) as enterprise_number,
    trim(nis_code) as nis_code,
    trim(project) as project,
    trim(kind) as kind,
    decided_on,
    amount_eur
from {{ current_rows(source('raw', 'project_grants')) }}
