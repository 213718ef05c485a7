-- Works with the municipality of what they are done on; a dossier that was paid twice counts once.
select w.dossier, w.facility_id, i.nis_code, w.granted_on, w.amount_eur
from {{ ref('works') }} as w
join {{ ref('infrastructure') }} as i using (facility_id)
qualify row_number() over (partition by w.dossier order by w.granted_on) = 1
