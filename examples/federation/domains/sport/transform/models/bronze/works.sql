-- Works; the municipality is a merged cell, so only its first line has it: carry it down to the next.
select
    {{ year_of_origin() }} as year,
    last_value(nullif(trim(municipality), '') ignore nulls) over (partition by _origin order by _row) as municipality,
    trim(dossier) as dossier,
    trim(facility_id) as facility_id,
    trim(object) as object,
    trim(beneficiary) as beneficiary,
    trim(enterprise_number) as enterprise_number,
    granted_on,
    amount_eur,
    trim(state) as state
from {{ current_rows(source('raw', 'works')) }}
